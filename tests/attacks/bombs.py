"""Small files that would cost much to open."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction
from typing import Any

from PIL import Image

SIDE = 7000


def gif(width: int = SIDE, height: int = SIDE, frames: int = 400) -> bytes:
    """Frames of one dot each on a large canvas."""
    frame = (
        b"\x21\xf9\x04\x00\x01\x00\x00\x00" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\x00"
    )
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0)
    return b"GIF89a" + screen + b"\0\0\0\xff\xff\xff" + frame * frames + b";"


def growing_gif() -> bytes:
    """A canvas of one dot, and a second frame that goes far beyond it."""
    small = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\x00"
    large = b"\x2c" + struct.pack("<HHHHB", 0, 0, 60000, 60000, 0) + b"\x02\x02\x4c\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + small + large + b";"


def png(width: int, height: int, frames: int = 1) -> bytes:
    """Black dots, one bit each; several frames are an animation."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    body = zlib.compress(bytes((width + 7) // 8 + 1) * height, 9)
    out = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))]
    if frames == 1:
        return b"".join([*out, chunk(b"IDAT", body), chunk(b"IEND", b"")])
    out.append(chunk(b"acTL", struct.pack(">II", frames, 0)))
    for index in range(frames):
        number = max(0, 2 * index - 1)
        out.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 10, 0, 0)))
        out.append(chunk(b"fdAT", struct.pack(">I", number + 1) + body) if index else chunk(b"IDAT", body))
    return b"".join([*out, chunk(b"IEND", b"")])


def webp(width: int, height: int, frames: int = 60) -> bytes:
    """Small frames on a canvas whose header says that it is large."""
    out = io.BytesIO()
    pictures = [Image.new("RGB", (16, 16), ("blue", "red")[index % 2]) for index in range(frames)]
    pictures[0].save(out, "WEBP", save_all=True, append_images=pictures[1:], duration=10, lossless=True)
    data = bytearray(out.getvalue())
    data[24:27], data[27:30] = (width - 1).to_bytes(3, "little"), (height - 1).to_bytes(3, "little")
    return bytes(data)


def avif(width: int, height: int) -> bytes:
    """A picture whose container says that it is large."""
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(out, "AVIF")
    data = bytearray(out.getvalue())
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", width, height)
    return bytes(data)


def video(width: int, height: int, frames: int, codec: str = "libx264", container: str = "mp4") -> bytes:
    """One key frame, and all others made of it."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        options = {"preset": "ultrafast"} if codec == "libx264" else {}
        stream: Any = file.add_stream(codec, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = frames
        frame = av.VideoFrame(width, height, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        for index in range(frames):
            frame.pts = index
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def lying_video() -> bytes:
    """A Matroska that says 64 x 64 and holds pictures of 3000 x 3000."""
    data = bytearray(video(3000, 3000, 2, "mpeg4", "matroska"))
    for name in (b"\xb0\x82", b"\xba\x82"):  # PixelWidth, PixelHeight
        at = data.index(name + struct.pack(">H", 3000))
        data[at + 2 : at + 4] = struct.pack(">H", 64)
    return bytes(data)


def silence(hours: float, container: str = "ogg") -> bytes:
    """Opus of nothing at all."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream: Any = file.add_stream("libopus", rate=48000, layout="mono")
        stream.open()
        samples = 2880
        for index in range(round(hours * 3600 * 48000 / samples)):
            made = av.Packet(b"\x18")  # SILK, 60 ms, nothing in it
            made.stream, made.time_base = stream, Fraction(1, 48000)
            made.pts = made.dts = index * samples
            made.duration = samples
            file.mux(made)
    return out.getvalue()


def wav(rate_hz: int, channels: int, samples: int) -> bytes:
    """16 bit silence."""
    frame = channels * 2
    form = struct.pack("<IHHIIHH", 16, 1, channels, rate_hz, (rate_hz * frame) & 0xFFFFFFFF, frame, 16)
    data = bytes(samples * frame)
    return (
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + form + b"data" + struct.pack("<I", len(data)) + data
    )


def flac_with_cover(side: int) -> bytes:
    """A second of sound behind a cover of many dots."""
    import av
    import numpy as np

    out = io.BytesIO()
    with av.open(out, "w", format="flac") as file:
        stream: Any = file.add_stream("flac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4608), np.int16), format="s16", layout="mono")
        frame.sample_rate = 48000
        for index in range(10):
            frame.pts = index * 4608
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    sound = out.getvalue()
    picture = png(side, side)
    fields = [
        struct.pack(">I", 3),
        struct.pack(">I", 9) + b"image/png",
        struct.pack(">I", 0),
        struct.pack(">IIII", side, side, 1, 0),
        struct.pack(">I", len(picture)) + picture,
    ]
    block = b"".join(fields)
    return sound[:42] + b"\x06" + struct.pack(">I", len(block))[1:] + block + sound[42:]
