from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import pytest

from core.recording.names import MAX_BYTES, NAMELESS, safe_name

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("Ana", "Ana"),
        ("Ana María de la O", "Ana_María_de_la_O"),
        ("..\\..", NAMELESS),
        ("../../etc/passwd", "etc_passwd"),
        ("🦊🔥", NAMELESS),
        ("🦊 Fox 🔥", "Fox"),
        ("CON", "CON_"),
        ("com1", "com1_"),
        ("NUL.txt", "NUL_txt"),
        ("a:b*c?d<e>f|g", "a_b_c_d_e_f_g"),
        ("  . ", NAMELESS),
        ("", NAMELESS),
        ("\u202egpj.exe\u202c", "gpj_exe"),
        ("𝓕𝓪𝓷𝓬𝔂", "Fancy"),
        ("張偉", "張偉"),
        ("name\0with\nbreaks", "name_with_breaks"),
        ("-rf", "rf"),
        ("\u0301\u0302", NAMELESS),
    ],
)
def test_names_become_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize("name", ["ש" * 32, "م" * 32, "张" * 32, "a" * 500, "👩‍👩‍👧" * 40, "é" * 100, "\ud800x"])
def test_long_and_odd_names_fit_and_can_be_written(tmp_path: Path, name: str) -> None:
    safe = safe_name(name)
    assert 0 < len(safe.encode()) <= MAX_BYTES
    assert not re.search(r'[\\/:*?"<>|\x00-\x1f]', safe)
    assert not any(unicodedata.category(character) == "Cf" for character in safe)
    (tmp_path / f"1_{safe}.ogg").write_bytes(b"x")
    assert [path.name for path in tmp_path.iterdir()]
