from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from core.recording.fonts import drawable, shortened, text_width
from core.recording.metadata import Gap, Metadata, Named, Note, RecordedPerson, RecordedSegment
from core.recording.picture import SCALE, clock, draw_timeline
from tests.core.recording.people import START, metadata

if TYPE_CHECKING:
    from pathlib import Path

LEFT, RIGHT, HEAD = (24 + 190) * SCALE, (1200 - 24 - 64) * SCALE, 84 * SCALE
GAP, PAUSE, NOTE = (0xF2, 0xB8, 0xB5), (0xDA, 0xDF, 0xE5), (0xB7, 0x41, 0x0E)
NAMES = ["Ana", "🦊🔥", "שלום עולם", "..\\..", "x" * 200, "\u202eevil", "", "张伟", "a\nb", "\0"]


def recording(people: int, duration_s: float, **more: Any) -> Metadata:
    found = metadata()
    found.duration_s = duration_s
    for index in range(people):
        found.people.append(
            RecordedPerson(id=str(1000 + index), name=NAMES[index % len(NAMES)], first_seen_at=START, speech_s=1)
        )
    return found.model_copy(update=more)


def draw(found: Metadata, folder: Path) -> np.ndarray:
    draw_timeline(found.model_dump_json(), str(folder / "timeline.png"))
    assert [path.name for path in folder.iterdir()] == ["timeline.png"]
    with Image.open(folder / "timeline.png") as image:
        return np.asarray(image.convert("RGB")).astype(int)


def x(share: float) -> int:
    return round(LEFT + share * (RIGHT - LEFT))


def colored(pixels: np.ndarray) -> np.ndarray:
    """Where a pixel is neither gray nor pale: speech."""
    return (pixels.max(axis=-1) - pixels.min(axis=-1)) > 60


def near(pixel: np.ndarray, color: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixel - color).max() < 12)


def test_speech_is_drawn_where_it_was(tmp_path: Path) -> None:
    found = recording(2, 100)
    found.segments = [
        RecordedSegment(user_id="1000", file=None, start_s=25, duration_s=25),
        RecordedSegment(user_id="1001", file=None, start_s=99.9, duration_s=0.01),
    ]
    pixels = draw(found, tmp_path)
    first, second = (pixels[round(HEAD + (row + 0.5) * 34 * SCALE)] for row in (0, 1))
    spoken = np.nonzero(colored(first)[LEFT:RIGHT])[0] + LEFT
    assert (spoken.min(), spoken.max()) == (pytest.approx(x(0.25), abs=3), pytest.approx(x(0.5), abs=3))
    assert len(spoken) == spoken.max() - spoken.min() + 1
    assert colored(second)[x(0.99) :].any()  # however short, it can be seen
    assert not colored(second)[LEFT : x(0.99)].any()


def test_gaps_pauses_and_notes_are_told_apart(tmp_path: Path) -> None:
    found = recording(1, 100)
    found.gaps = [
        Gap(start_s=20, duration_s=10, reason="x"),
        Gap(start_s=60, duration_s=10, reason="y", pause=True),
    ]
    found.notes = [Note(at_s=80, at=START, text="Roll 🎲", by=Named(id="1", name="Ana"))]
    row = draw(found, tmp_path)[HEAD + 3]
    assert near(row[x(0.25)], GAP)
    assert near(row[x(0.65)], PAUSE)
    assert near(row[x(0.8)], NOTE)
    assert not near(row[x(0.5)], GAP)


@pytest.mark.parametrize(("people", "duration_s"), [(0, 0.0), (1, 0.2), (13, 90.0), (99, 6 * 3600.0)])
def test_any_number_of_people_and_any_length_can_be_drawn(tmp_path: Path, people: int, duration_s: float) -> None:
    found = recording(people, duration_s)
    found.notes = [Note(at_s=duration_s * i / 30, at=START, text=NAMES[i % 10]) for i in range(30)]
    pixels = draw(found, tmp_path)
    assert pixels.shape[1] == 1200 * SCALE
    assert pixels.shape[0] < 5500
    assert (tmp_path / "timeline.png").stat().st_size < 1_000_000


def test_only_what_a_font_has_is_drawn() -> None:
    assert drawable("🦊 Fox 🔥") == "Fox"
    assert drawable("🦊🔥") == ""
    assert drawable("a\u202eb\x00c") == "abc"
    assert drawable("שלום") == "שלום"


def test_long_text_is_shortened_to_its_room() -> None:
    assert shortened("short", 26, 500) == "short"
    cut = shortened("w" * 100, 26, 200)
    assert cut.endswith("…")
    assert text_width(cut, 26) <= 200


def test_times_are_written_as_people_write_them() -> None:
    assert [clock(0), clock(59.6), clock(61), clock(3723), clock(0.25, 0.1)] == [
        "0:00",
        "0:59",
        "1:01",
        "1:02:03",
        "0:00.2",
    ]
