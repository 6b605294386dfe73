"""Sound in the containers that real speech servers send, whatever they were asked for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from numpy.typing import NDArray

Container = Literal[
    "mp3", "bare mp3", "aac", "m4a", "flac", "ogg", "webm", "aiff", "mulaw", "caf", "au", "w64", "mpegts"
]

CONTAINERS: dict[
    Container, tuple[str, str, int, dict[str, str]]
] = {  # format, codec, rate (0: the sound's own), options
    "mp3": ("mp3", "libmp3lame", 0, {}),
    "bare mp3": ("mp3", "libmp3lame", 0, {"id3v2_version": "0", "write_xing": "0"}),  # begins with its first frame
    "aac": ("adts", "aac", 0, {}),
    "m4a": ("ipod", "aac", 0, {}),
    "flac": ("flac", "flac", 0, {}),
    "ogg": ("ogg", "libopus", 48000, {}),
    "webm": ("webm", "libopus", 48000, {}),
    "aiff": ("aiff", "pcm_s16be", 0, {}),
    "mulaw": ("wav", "pcm_mulaw", 0, {}),
    "caf": ("caf", "alac", 0, {}),
    "au": ("au", "pcm_s16be", 0, {}),
    "w64": ("w64", "pcm_s16le", 0, {}),
    "mpegts": ("mpegts", "aac", 0, {}),
}


def encoded(samples: NDArray[Any], rate_hz: int, container: Container) -> bytes:
    """Mono int16 samples, shape (n,), as a file (blocking)."""
    import av

    form, codec, own_hz, options = CONTAINERS[container]
    file = io.BytesIO()
    with av.open(file, "w", format=form, options=options) as output:
        stream = cast("Any", output.add_stream(codec, rate=own_hz or rate_hz))
        stream.layout = "mono"
        context = stream.codec_context
        context.open()
        frame: Any = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = rate_hz
        resampler = av.AudioResampler(
            format=context.format, layout="mono", rate=context.sample_rate, frame_size=context.frame_size
        )
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            output.mux(stream.encode(part))
    return file.getvalue()
