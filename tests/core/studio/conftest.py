"""Pictures and videos made on the spot."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

COLOURS = ("red", "lime", "blue", "white", "black", "yellow")


def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """A still picture of one colour."""

    def make(
        kind: str = "PNG", size: tuple[int, int] = (64, 48), mode: str = "RGB", colour: Any = "red", **options: Any
    ) -> bytes:
        return encode(Image.new(mode, size, colour), kind, **options)

    return make


@pytest.fixture
def gif() -> bytes:
    """Six frames of six colours."""
    frames = [Image.new("RGB", (40, 30), colour) for colour in COLOURS]
    return encode(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)


@pytest.fixture
def video() -> Callable[..., bytes]:
    """A second of each of four colours."""

    def make(container: str = "mp4", codec: str = "mpeg4", size: tuple[int, int] = (64, 48), seconds: int = 4) -> bytes:
        import av

        out = io.BytesIO()
        with av.open(out, "w", format=container) as file:
            stream: Any = file.add_stream(codec, rate=10)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            for index in range(10 * seconds):
                frame = av.VideoFrame.from_image(Image.new("RGB", size, COLOURS[index // 10 % 4]))
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
        return out.getvalue()

    return make
