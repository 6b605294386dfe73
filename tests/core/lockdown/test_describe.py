"""Long lists are shown in the fields of an embed."""

from __future__ import annotations

import pytest

from core.lockdown.describe import FIELD, fields


@pytest.mark.parametrize("length", [66, 100, 200, 334, 1003])
def test_no_line_is_lost_between_two_fields(length: int) -> None:
    lines = [f"{number:03}{'x' * (length - 3)}" for number in range(3 * 1000 // length)]
    parts = fields(lines, most=len(lines) + 1)
    assert [line for part in parts for line in part.split("\n")] == lines
    assert all(len(part) <= FIELD for part in parts)
