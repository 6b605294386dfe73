"""Frames of a short video, through PyAV."""

from __future__ import annotations

import io
from itertools import islice
from typing import TYPE_CHECKING, Any

from core.errors import StudioError
from core.studio.pictures import NO_PICTURE, Limits, require_pixels

if TYPE_CHECKING:
    from PIL import Image

DAMAGED = "That video is damaged, so I cannot look at it."


def frames_of(data: bytes, limits: Limits) -> list[Image.Image]:
    """Up to `max_pictures` frames, the first one and others evenly over the first `max_video_s` seconds.

    Raises:
        StudioError: It is no video, is damaged, or has too many pixels.
    """
    import av
    from av.error import FFmpegError

    try:
        with av.open(io.BytesIO(data)) as container:
            if not container.streams.video:
                raise StudioError(NO_PICTURE)
            stream = container.streams.video[0]
            require_pixels(stream.codec_context.width, stream.codec_context.height, limits)
            frames = _spread(container, stream, limits)
    except (FFmpegError, ValueError, EOFError) as error:
        raise StudioError(DAMAGED) from error
    if not frames:
        raise StudioError(DAMAGED)
    return frames


def _spread(container: Any, stream: Any, limits: Limits) -> list[Image.Image]:
    """Seek to each wanted moment and decode what is there; a file that cannot be seeked gives its first frames."""
    duration_s = (container.duration or 0) / 1_000_000
    seen_s = min(duration_s, limits.max_video_s)
    if seen_s <= 0:
        return [_small(frame, limits) for frame in islice(container.decode(stream), limits.max_pictures)]
    frames: list[Image.Image] = []
    last_pts: int | None = None
    for index in range(limits.max_pictures):
        start = stream.start_time or 0
        container.seek(start + int(index * seen_s / limits.max_pictures / stream.time_base), stream=stream)
        wanted_s = index * seen_s / limits.max_pictures
        frame = _frame_at(container, stream, wanted_s + float(start * stream.time_base))
        if frame is None or (frame.pts is not None and frame.pts == last_pts):
            continue
        last_pts = frame.pts
        frames.append(_small(frame, limits))
    return frames


def _frame_at(container: Any, stream: Any, moment_s: float) -> Any:
    """The frame shown at a moment: decoding begins at the key frame before it."""
    found = None
    for frame in islice(container.decode(stream), 600):
        if found is not None and frame.time is not None and frame.time > moment_s:
            break
        found = frame
    return found


def _small(frame: Any, limits: Limits) -> Image.Image:
    scale = min(1.0, limits.max_side_px / max(frame.width, frame.height))
    size = {"width": max(2, round(frame.width * scale)), "height": max(2, round(frame.height * scale))}
    return frame.reformat(**size, format="rgb24").to_image()
