"""Damaged input by the hundred thousand, to everything that strangers' bytes reach: nothing escapes, grows or slows down.

`python -m bench fuzz --tries 100000` takes a while; the tests try a few hundred of the same (`tests/attacks/test_fuzz_*.py`).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from bench._fuzzer import fuzz
from bench._targets import TARGETS

GROWTH_MB, SLOWDOWN, SLOWEST_MS = 20.0, 3.0, 5000.0
SHARE = {  # by what a try costs
    "datagrams": 1.0,
    "gateway": 1.0,
    "journals": 0.2,
    "metadata": 0.2,
    "uploads": 0.05,
    "cards": 0.05,
}


def main(argv: list[str]) -> int:
    """Run it and print JSON lines; 0 if every goal was met."""
    parser = argparse.ArgumentParser(prog="bench fuzz", description=__doc__)
    parser.add_argument("--tries", type=int, default=100_000, help="datagrams and messages; files are fewer")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(TARGETS))
    options = parser.parse_args(argv)
    met = True
    for name, target in TARGETS.items():
        if options.only not in (None, name):
            continue
        found = fuzz(target, max(50, round(options.tries * SHARE[name])), seed=options.seed)
        good = not found.faults and found.growth_mb < GROWTH_MB
        good = good and found.slowdown < SLOWDOWN and found.slowest_ms < SLOWEST_MS
        goal = f"no exception, < {GROWTH_MB:g} MB more, < {SLOWDOWN:g} x slower, none over {SLOWEST_MS / 1000:g} s"
        print(json.dumps({"bench": "fuzz", "what": name, **asdict(found), "goal": goal, "met": good}), flush=True)
        met = met and good
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
