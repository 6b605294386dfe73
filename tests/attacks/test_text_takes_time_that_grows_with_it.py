"""Nobody stops the bot with a text: four times the text takes about four times as long, on every path of text.

Both lengths are measured in one run; a step that grows with the square of the text would take sixteen times as long. The bound
lies between, with room for a noisy machine; `python -m bench text` measures the times themselves.
"""

from __future__ import annotations

import pytest

from bench.text import PATHS, UNITS, milliseconds

SHORT = 20_000
MOST_GROWTH = 11
LEAST_MS = 15.0  # shorter than this is noise


@pytest.mark.parametrize("path", PATHS)
def test_time_grows_with_the_text_and_no_faster(path: str) -> None:
    for name, unit in UNITS.items():
        text = unit * (SHORT // len(unit))
        long_ms = milliseconds(PATHS[path], text * 4 + "x")
        if long_ms > LEAST_MS:
            growth = min(
                long_ms / milliseconds(PATHS[path], text + "x"),
                milliseconds(PATHS[path], text * 4 + "x") / milliseconds(PATHS[path], text + "x"),
            )
            assert growth < MOST_GROWTH, name
