"""Tries damaged input on one target, and tells what escaped, what it cost, and whether it cost more and more."""

from __future__ import annotations

import contextlib
import gc
import logging
import random
import tempfile
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

WARM_UP = 0.2  # of all tries: what is loaded and kept once is no growth
MOST_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What came of it. `slowdown` is the median time of the last tenth of the tries against that after warming up."""

    tries: int
    faults: tuple[str, ...]
    growth_mb: float
    slowdown: float
    slowest_ms: float


def fuzz(target: Callable[[Path, ExitStack], Callable[[random.Random], None]], count: int, *, seed: int = 1) -> Fuzzed:
    """Try `count` damaged inputs; each has a seed of its own, which a fault names, so that it can be had again."""
    process, faults, times_s = psutil.Process(), dict[str, str](), list[float]()
    with tempfile.TemporaryDirectory(prefix="parley-fuzz-") as name, _quiet(), ExitStack() as closing:
        attempt = target(Path(name), closing)
        before = 0
        for number in range(count):
            if number == int(count * WARM_UP):
                gc.collect()
                before = process.memory_full_info().uss
            began_s = time.perf_counter()
            try:
                attempt(random.Random(f"{seed} {number}"))
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                at = traceback.extract_tb(error.__traceback__)[-1]
                faults.setdefault(
                    f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}", f"{number}: {error!r}"
                )
            times_s.append(time.perf_counter() - began_s)
        gc.collect()
        growth = (process.memory_full_info().uss - before) / 2**20
    tenth = max(1, count // 10)
    early, late = (sorted(part)[len(part) // 2] for part in (times_s[tenth : 2 * tenth] or times_s, times_s[-tenth:]))
    told = tuple(f"{where} (try {what})"[:300] for where, what in list(faults.items())[:MOST_FAULTS])
    return Fuzzed(count, told, round(growth, 1), round(late / max(early, 1e-9), 2), round(max(times_s) * 1000, 1))


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """What is refused is logged, a hundred thousand times."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
