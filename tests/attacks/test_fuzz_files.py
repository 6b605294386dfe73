"""The promise: a damaged file is a sentence or is passed over, and never a crash. `bench fuzz` tries more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench._fuzzer import fuzz
from bench._targets import cards, journals, metadata, uploads

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

GROWTH_MB = 30.0


@pytest.mark.parametrize(("target", "count"), [(journals, 300), (metadata, 400), (uploads, 120), (cards, 300)])
def test_damaged_files_never_raise_what_nobody_expects(
    target: Callable[[Path, ExitStack], Callable[[random.Random], None]], count: int
) -> None:
    found = fuzz(target, count)
    assert found.faults == ()
    assert found.growth_mb < GROWTH_MB


def test_a_fault_is_found_named_and_had_again() -> None:
    def target(_folder: Path, _closing: ExitStack) -> Callable[[random.Random], None]:
        def attempt(rng: random.Random) -> None:
            if rng.random() < 0.1:
                raise KeyError("seq")

        return attempt

    (fault,) = fuzz(target, 100).faults
    assert fault.startswith("KeyError at test_fuzz_files.py:")
    assert fuzz(target, 100).faults == (fault,)
