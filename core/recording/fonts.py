"""Letters for pictures: fonts that are there anyway, and only characters these fonts have."""

from __future__ import annotations

import functools
import importlib.util
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from PIL import ImageDraw, ImageFont

# Scripts that the first font lacks, where a system has them.
_SYSTEM = {
    "darwin": ("/System/Library/Fonts/Supplemental/Arial Unicode.ttf", "/Library/Fonts/Arial Unicode.ttf"),
    "win32": ("C:/Windows/Fonts/msyh.ttc", "C:/Windows/Fonts/malgun.ttf", "C:/Windows/Fonts/Nirmala.ttf"),
    "linux": (
        "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
        "/usr/share/fonts/truetype/unifont/unifont.ttf",
    ),
}


@functools.cache
def _font_files() -> tuple[tuple[str, Callable[[int], int]], ...]:
    """Fonts, best first, each with the glyph number it has for a character, 0 being none."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        return ()
    from matplotlib.ft2font import FT2Font

    first = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    files = [first, *map(Path, _SYSTEM.get(sys.platform, ()))]
    return tuple((str(file), FT2Font(str(file)).get_char_index) for file in files if file.exists())


@functools.cache
def _font(file: str, size: int) -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(file, size)


@functools.cache
def _fallback(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)  # Latin letters, always there


def drawable(text: str) -> str:
    """`text` without what no font here can draw: emoji, control and directional characters, other scripts."""
    kept = [
        character
        for character in unicodedata.normalize("NFKC", " ".join(text.split()))
        if unicodedata.category(character)[0] != "C" and _has(character)
    ]
    return " ".join("".join(kept).split())


def _has(character: str) -> bool:
    files = _font_files()
    if not files:
        return character.isascii()
    return any(glyph(ord(character)) for _, glyph in files)


def _runs(text: str, size: int) -> Iterator[tuple[str, Any]]:
    """Pieces of drawable text, each with the first font that has all of it."""
    files = _font_files()
    if not files:
        yield text, _fallback(size)
        return
    run, current = "", files[0][0]
    for character in text:
        wanted = next((file for file, glyph in files if glyph(ord(character))), files[0][0])
        if character == " ":
            wanted = current
        if wanted != current and run:
            yield run, _font(current, size)
            run = ""
        current = wanted
        run += character
    if run:
        yield run, _font(current, size)


def text_width(text: str, size: int) -> float:
    """How wide drawable text is, in pixels."""
    return sum(font.getlength(run) for run, font in _runs(text, size))


def shortened(text: str, size: int, width: float) -> str:
    """As much of drawable text as fits into `width` pixels, with an ellipsis where something went."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(f"{text}…", size) > width:
        text = text[:-1]
    return f"{text.rstrip()}…"


def draw_text(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int, color: str, anchor: str
) -> None:
    """Draw text whose anchor is one of Pillow's, its horizontal part `l`, `m` or `r`."""
    x, y = at
    width = text_width(text, size)
    x -= {"l": 0.0, "m": width / 2, "r": width}[anchor[0]]
    for run, font in _runs(text, size):
        draw.text((x, y), run, fill=color, font=font, anchor=f"l{anchor[1]}")
        x += font.getlength(run)
