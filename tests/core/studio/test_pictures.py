"""What is looked at, and how it is made small."""

from __future__ import annotations

import io
import os
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from core.errors import StudioError
from core.studio.limits import Limits
from core.studio.media_type import sniff
from core.studio.pictures import fit, look_at

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = Limits()


def open_picture(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def colour(data: bytes) -> str:
    """Which of the clear colours a picture has in its middle."""
    picture = open_picture(data)
    red, green, blue = (value > 128 for value in picture.getpixel((picture.width // 2, picture.height // 2)))  # type: ignore[union-attr]
    names = {(1, 0, 0): "red", (0, 1, 0): "lime", (0, 0, 1): "blue", (1, 1, 1): "white", (0, 0, 0): "black"}
    return names.get((red, green, blue), "yellow")


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/gif"), ("WEBP", "image/webp"), ("BMP", "image/bmp")],
)
def test_pictures_are_known_by_their_bytes(picture: Callable[..., bytes], kind: str, media_type: str) -> None:
    assert sniff(picture(kind)) == media_type
    [seen] = look_at(picture(kind), LIMITS)
    assert seen.media_type == sniff(seen.data) == "image/jpeg"
    assert colour(seen.data) == "red"


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"%PDF-1.7", b"PK\x03\x04", b"ID3\x04", b"\x00\x00\x00\x20ftypM4A \x00"]
)
def test_other_files_are_refused(data: bytes) -> None:
    assert sniff(data) is None
    with pytest.raises(StudioError, match="no picture or video"):
        look_at(data, LIMITS)


def test_a_large_picture_is_made_small_and_keeps_its_shape(picture: Callable[..., bytes]) -> None:
    [seen] = look_at(picture(size=(3000, 1500)), Limits(max_side_px=500))
    assert open_picture(seen.data).size == (500, 250)


def test_a_small_picture_is_not_made_larger(picture: Callable[..., bytes]) -> None:
    [seen] = look_at(picture(size=(30, 20)), LIMITS)
    assert open_picture(seen.data).size == (30, 20)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "I;16", "CMYK", "1"])
def test_every_kind_of_pixel_is_taken(picture: Callable[..., bytes], mode: str) -> None:
    data = picture("JPEG" if mode == "CMYK" else "PNG", mode=mode, colour=0)
    assert len(look_at(data, LIMITS)) == 1


def test_what_shines_through_is_white(picture: Callable[..., bytes]) -> None:
    [seen] = look_at(picture(mode="RGBA", colour=(0, 0, 0, 0)), LIMITS)
    assert colour(seen.data) == "white"


def test_a_photo_is_turned_upright(picture: Callable[..., bytes]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    [seen] = look_at(picture("JPEG", size=(64, 32), exif=exif), LIMITS)
    assert open_picture(seen.data).size == (32, 64)


def test_an_animation_gives_frames_from_all_over_it(gif: bytes) -> None:
    seen = look_at(gif, Limits(max_pictures=3))
    assert [colour(frame.data) for frame in seen] == ["red", "blue", "black"]


@pytest.mark.parametrize(("container", "codec"), [("mp4", "mpeg4"), ("webm", "libvpx"), ("matroska", "mpeg4")])
def test_a_video_gives_frames_from_all_over_it(video: Callable[..., bytes], container: str, codec: str) -> None:
    seen = look_at(video(container, codec), Limits(max_pictures=4))
    assert [colour(frame.data) for frame in seen] == ["red", "lime", "blue", "white"]


def test_of_a_long_video_only_the_beginning_is_looked_at(video: Callable[..., bytes]) -> None:
    seen = look_at(video(seconds=8), Limits(max_pictures=4, max_video_s=2))
    assert {colour(frame.data) for frame in seen} == {"red", "lime"}


def test_frames_of_a_large_video_are_made_small(video: Callable[..., bytes]) -> None:
    [seen] = look_at(video(size=(640, 320), seconds=1), Limits(max_pictures=1, max_side_px=160))
    assert open_picture(seen.data).size == (160, 80)


def test_a_sound_file_in_a_video_container_is_no_picture() -> None:
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as file:
        stream: Any = file.add_stream("libopus", rate=48000)
        for _ in range(3):
            frame = av.AudioFrame(format="s16", layout="stereo", samples=960)
            frame.sample_rate = 48000
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    with pytest.raises(StudioError, match="no picture or video"):
        look_at(out.getvalue(), LIMITS)


def test_a_file_over_the_limit_is_refused_by_its_length() -> None:
    with pytest.raises(StudioError, match="2 MiB, and I look at 1 MiB"):
        look_at(bytes(2 * 2**20), Limits(max_file_mb=1))


def test_a_picture_bomb_is_refused_by_its_header() -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    for side in (8_000, 12_000, 60_000):
        header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100)))
        with pytest.raises(StudioError, match="too large for me"):
            look_at(bomb, LIMITS)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "video"])
def test_cut_and_damaged_files_end_in_a_sentence_or_a_picture(
    video: Callable[..., bytes], kind: str, keep: float
) -> None:
    noise = Image.frombytes("RGB", (64, 64), os.urandom(64 * 64 * 3))
    out = io.BytesIO()
    if kind == "video":
        data = video()
    else:
        noise.save(out, kind)
        data = out.getvalue()
    broken = data[: int(len(data) * keep)]
    scrambled = data[:40] + bytes(byte ^ 0x5A for byte in data[40:])
    for attempt in (broken, scrambled):
        try:
            assert look_at(attempt, LIMITS)
        except StudioError as error:
            assert error.sentence.endswith(".")


def test_a_drawing_under_the_limit_stays_as_it_is(picture: Callable[..., bytes]) -> None:
    data = picture()
    assert fit(data, len(data)) == (data, "image/png")


def test_a_drawing_over_the_limit_is_made_smaller() -> None:
    noise = Image.frombytes("RGB", (400, 400), os.urandom(400 * 400 * 3))
    out = io.BytesIO()
    noise.save(out, "PNG")
    for limit in (200_000, 40_000):
        data, media_type = fit(out.getvalue(), limit)
        assert len(data) <= limit
        assert media_type == sniff(data) == "image/jpeg"


def test_a_drawing_that_cannot_be_made_small_enough_is_refused(picture: Callable[..., bytes]) -> None:
    with pytest.raises(StudioError, match="too large to upload"):
        fit(picture(), 50)
