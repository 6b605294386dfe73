"""`timeline.png`: who spoke when, what was noted, and where nothing was recorded. Drawn in a worker."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.recording.fonts import draw_text, drawable, shortened, text_width
from core.recording.metadata import Metadata

if TYPE_CHECKING:
    from PIL import ImageDraw

SCALE = 2  # drawn for screens with two pixels a point
_WIDTH = 1200 * SCALE
_MARGIN = 24 * SCALE
_NAME_WIDTH = 190 * SCALE
_TIME_WIDTH = 64 * SCALE
_HEAD = 84 * SCALE
_AXIS = 34 * SCALE
_NOTE = 22 * SCALE
_MAX_NOTES = 12
_LEAST_BAR = 2 * SCALE
_PAPER, _INK, _FAINT, _GRID, _LANE = "#ffffff", "#1f2328", "#6e7781", "#e3e6ea", "#f6f7f9"
_GAP, _PAUSE, _NOTED = "#f2b8b5", "#dadfe5", "#b7410e"
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600)
_LEAST_STEP = 90 * SCALE


@dataclass(frozen=True, slots=True)
class _Layout:
    duration_s: float
    left: float
    right: float
    top: float
    row: float
    rows: int

    @property
    def bottom(self) -> float:
        return self.top + self.row * self.rows

    def x(self, at_s: float) -> float:
        share = min(max(at_s / self.duration_s, 0.0), 1.0)
        return self.left + share * (self.right - self.left)


def draw_timeline(metadata_json: str, target: str) -> None:
    """Draw the picture of a recording.

    Args:
        metadata_json: Its metadata.
        target: Where the PNG goes; replaced whole.

    Raises:
        OSError: It cannot be written.
    """
    from PIL import Image, ImageDraw

    metadata = Metadata.model_validate_json(metadata_json)
    rows = max(1, len(metadata.people))
    row = (34 if rows <= 12 else 24 if rows <= 40 else 18) * SCALE
    notes = min(len(metadata.notes), _MAX_NOTES + 1)
    legend = _NOTE if any(gap.user_id is None for gap in metadata.gaps) else 0
    height = _HEAD + row * rows + _AXIS + notes * _NOTE + legend + _MARGIN
    image = Image.new("RGB", (_WIDTH, round(height)), _PAPER)
    draw = ImageDraw.Draw(image)
    layout = _Layout(
        max(metadata.duration_s, 0.1),
        _MARGIN + _NAME_WIDTH,
        _WIDTH - _MARGIN - _TIME_WIDTH,
        _HEAD,
        row,
        rows,
    )
    _draw_head(draw, metadata)
    _draw_lanes(draw, metadata, layout)
    _draw_axis(draw, layout)
    _draw_gaps(draw, metadata, layout)
    _draw_speech(draw, metadata, layout)
    _draw_notes(draw, metadata, layout, legend)
    final = Path(target)
    work = final.with_name(f".{final.name}.new")
    image.quantize(128).save(work, "PNG", optimize=True)
    work.replace(final)


def clock(at_s: float, step_s: float = 1) -> str:
    """A time since the start as people write it: 1:02:03, 2:03, or 2:03.5 where steps are finer than a second."""
    tenths = round(at_s * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest // 10:02d}" + (f".{rest % 10}" if step_s < 1 else "")
    return f"{hours}:{minutes:02d}:{seconds}" if hours else f"{minutes}:{seconds}"


def _fine(duration_s: float) -> float:
    return 0.1 if duration_s < 10 else 1


def _draw_head(draw: ImageDraw.ImageDraw, metadata: Metadata) -> None:
    channel = drawable(metadata.channel.name) or f"channel {metadata.channel.id}"
    guild = drawable(metadata.guild.name) or f"server {metadata.guild.id}"
    title = shortened(f"{channel}, {guild}", 20 * SCALE, _WIDTH - 2 * _MARGIN)
    draw_text(draw, (_MARGIN, 32 * SCALE), title, 20 * SCALE, _INK, "lm")
    speakers = sum(1 for person in metadata.people if person.speech_s > 0)
    people = "nobody spoke" if not speakers else f"{speakers} {'person' if speakers == 1 else 'people'} spoke"
    under = f"{metadata.started_at:%Y-%m-%d %H:%M} UTC · {clock(metadata.duration_s, _fine(metadata.duration_s))} · {people}"
    draw_text(draw, (_MARGIN, 58 * SCALE), under, 13 * SCALE, _FAINT, "lm")
    if speakers:
        draw_text(draw, (_WIDTH - _MARGIN, _HEAD - 10 * SCALE), "spoken", 11 * SCALE, _FAINT, "rm")


def _draw_lanes(draw: ImageDraw.ImageDraw, metadata: Metadata, layout: _Layout) -> None:
    size = round(min(13 * SCALE, layout.row * 0.62))
    for index, person in enumerate(metadata.people):
        top = layout.top + index * layout.row
        middle = top + layout.row / 2
        if index % 2 == 0:
            draw.rectangle((_MARGIN / 2, top, _WIDTH - _MARGIN / 2, top + layout.row - 1), fill=_LANE)
        name = drawable(person.name) or f"user …{person.id[-4:]}"
        draw_text(draw, (_MARGIN, middle), shortened(name, size, _NAME_WIDTH - 12 * SCALE), size, _INK, "lm")
        if person.speech_s:
            at = (_WIDTH - _MARGIN, middle)
            draw_text(draw, at, clock(person.speech_s, _fine(person.speech_s)), size, _FAINT, "rm")


def _draw_axis(draw: ImageDraw.ImageDraw, layout: _Layout) -> None:
    per_s = (layout.right - layout.left) / layout.duration_s
    step = next((step for step in _STEPS_S if step * per_s >= _LEAST_STEP), _STEPS_S[-1])
    count = int(layout.duration_s / step + 1e-9)
    for index in range(count + 1):
        x = layout.x(index * step)
        draw.line((x, layout.top, x, layout.bottom), fill=_GRID, width=SCALE)
        draw_text(draw, (x, layout.bottom + 14 * SCALE), clock(index * step, step), 11 * SCALE, _FAINT, "mm")


def _draw_gaps(draw: ImageDraw.ImageDraw, metadata: Metadata, layout: _Layout) -> None:
    for gap in metadata.gaps:
        if gap.user_id is not None:
            continue
        left, right = layout.x(gap.start_s), layout.x(gap.start_s + gap.duration_s)
        box = (left, layout.top, max(right, left + _LEAST_BAR), layout.bottom)
        draw.rectangle(box, fill=_PAUSE if gap.pause else _GAP)


def _draw_speech(draw: ImageDraw.ImageDraw, metadata: Metadata, layout: _Layout) -> None:
    places = {person.id: index for index, person in enumerate(metadata.people)}
    colors = [_color(index) for index in range(len(metadata.people))]
    for person in metadata.people:
        missed = [gap for gap in metadata.gaps if gap.user_id == person.id]
        for missing in (*person.missing, *missed):
            top = layout.top + (places[person.id] + 0.42) * layout.row
            box = (
                layout.x(missing.start_s),
                top,
                layout.x(missing.start_s + missing.duration_s),
                top + layout.row * 0.16,
            )
            draw.rectangle((box[0], box[1], max(box[2], box[0] + _LEAST_BAR), box[3]), fill=_GAP)
    for segment in metadata.segments:
        index = places.get(segment.user_id)
        if index is None:
            continue
        top = layout.top + (index + 0.2) * layout.row
        left, right = layout.x(segment.start_s), layout.x(segment.start_s + segment.duration_s)
        box = (left, top, max(right, left + _LEAST_BAR), top + layout.row * 0.6)
        draw.rounded_rectangle(box, radius=min(3 * SCALE, (box[2] - box[0]) / 2), fill=colors[index])


def _draw_notes(draw: ImageDraw.ImageDraw, metadata: Metadata, layout: _Layout, legend: float) -> None:
    y = layout.bottom + _AXIS + _NOTE / 2
    if legend:
        _draw_legend(draw, metadata, y)
        y += _NOTE
    notes = sorted(metadata.notes, key=lambda note: note.at_s)
    for number, note in enumerate(notes, 1):
        x = layout.x(note.at_s)
        draw.line((x, layout.top - 6 * SCALE, x, layout.bottom), fill=_NOTED, width=SCALE)
        draw.ellipse((x - 8 * SCALE, layout.top - 18 * SCALE, x + 8 * SCALE, layout.top - 2 * SCALE), fill=_NOTED)
        draw_text(draw, (x, layout.top - 10 * SCALE), str(number), 10 * SCALE, _PAPER, "mm")
        if number <= _MAX_NOTES:
            by = f" ({drawable(note.by.name)})" if note.by is not None and drawable(note.by.name) else ""
            text = f"{number}  {clock(note.at_s)}  {drawable(note.text)}{by}"
            draw_text(draw, (_MARGIN, y), shortened(text, 12 * SCALE, _WIDTH - 2 * _MARGIN), 12 * SCALE, _NOTED, "lm")
            y += _NOTE
    if len(notes) > _MAX_NOTES:
        draw_text(draw, (_MARGIN, y), f"and {len(notes) - _MAX_NOTES} more notes", 12 * SCALE, _NOTED, "lm")


def _draw_legend(draw: ImageDraw.ImageDraw, metadata: Metadata, y: float) -> None:
    x: float = _MARGIN
    kinds = {gap.pause for gap in metadata.gaps if gap.user_id is None}
    for pause, color, text in ((False, _GAP, "nobody could be heard"), (True, _PAUSE, "paused")):
        if pause in kinds:
            draw.rectangle((x, y - 6 * SCALE, x + 18 * SCALE, y + 6 * SCALE), fill=color)
            draw_text(draw, (x + 24 * SCALE, y), text, 12 * SCALE, _FAINT, "lm")
            x += 48 * SCALE + text_width(text, 12 * SCALE)


def _color(index: int) -> str:
    """Colors far from each other, whatever their number: hues a golden angle apart."""
    red, green, blue = colorsys.hls_to_rgb((0.58 + index * 0.381966) % 1.0, 0.44 + 0.08 * (index % 3 - 1), 0.6)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
