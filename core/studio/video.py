"""Frames of a short video, through PyAV."""

from __future__ import annotations

import io
from itertools import islice
from typing import TYPE_CHECKING, Any

from core.errors import StudioError
from core.studio.limits import MEGA, NO_PICTURE, Budget, Limits, require_pixels

if TYPE_CHECKING:
    from PIL import Image

_FORMATS = "mov,mp4,matroska,webm"  # as `sniff` tells them; others could name further files
_MOST_STREAMS = "32"
_TIMES = 4  # the pixels of an animation: frames of a video cost so much less

DAMAGED = "That video is damaged, so I cannot look at it."


def frames_of(data: bytes, limits: Limits) -> list[Image.Image]:
    """Up to `max_pictures` frames, the first one and others evenly over the first `max_video_s` seconds.

    Raises:
        StudioError: It is no video, is damaged, or has too many pixels.
    """
    import av
    from av.error import FFmpegError

    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "none", "max_streams": _MOST_STREAMS}
    try:
        with av.open(io.BytesIO(data), options=options, metadata_errors="ignore") as container:
            if not container.streams.video:
                raise StudioError(NO_PICTURE)
            stream: Any = container.streams.video[0]
            require_pixels(stream.codec_context.width, stream.codec_context.height, limits)
            # Frames may be larger than the header says, and each thread would hold some more of them.
            stream.codec_context.options = {"max_pixels": str(limits.max_megapixels * MEGA)}
            stream.codec_context.thread_count = 1
            frames = _spread(container, stream, limits)
    except (FFmpegError, ValueError, EOFError) as error:
        raise StudioError(DAMAGED) from error
    if not frames:
        raise StudioError(DAMAGED)
    return frames


def _spread(container: Any, stream: Any, limits: Limits) -> list[Image.Image]:
    """Seek to each wanted moment and decode what is there; a file that cannot be seeked gives its first frames."""
    budget = Budget(limits, times=_TIMES)
    seen_s = min((container.duration or 0) / 1_000_000, limits.max_video_s)
    frames: list[Image.Image] = []
    if seen_s <= 0:
        for frame in islice(container.decode(stream), limits.max_pictures):
            frames.append(_small(frame, limits))
            if not budget.spend(frame.width, frame.height):
                break
        return frames
    last_pts: int | None = None
    share_px = budget.left_px // limits.max_pictures
    for index in range(limits.max_pictures):
        start = stream.start_time or 0
        wanted_s = index * seen_s / limits.max_pictures
        container.seek(start + int(wanted_s / stream.time_base), stream=stream)
        budget.left_px = share_px  # what one moment leaves, another one hardly needs
        frame = _frame_at(container, stream, wanted_s + float(start * stream.time_base), budget)
        if frame is None or (frame.pts is not None and frame.pts == last_pts):
            continue
        last_pts = frame.pts
        frames.append(_small(frame, limits))
    return frames


def _frame_at(container: Any, stream: Any, moment_s: float, budget: Budget) -> Any:
    """The frame shown at a moment: decoding begins at the key frame before it, and ends early if that is too far."""
    found = None
    for frame in islice(container.decode(stream), 600):
        if found is not None and frame.time is not None and frame.time > moment_s:
            break
        found = frame
        if not budget.spend(frame.width, frame.height):
            break
    return found


def _small(frame: Any, limits: Limits) -> Image.Image:
    scale = min(1.0, limits.max_side_px / max(frame.width, frame.height))
    size = {"width": max(2, round(frame.width * scale)), "height": max(2, round(frame.height * scale))}
    return frame.reformat(**size, format="rgb24").to_image()
