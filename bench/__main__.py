"""`python -m bench NAME [options]`: run one benchmark; without a name, list them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main(argv: list[str]) -> int:
    """Run the named benchmark and return its exit code: 0 if every goal was met."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
    if not argv or argv[0] not in names:
        print(f"usage: python -m bench NAME, with one of: {', '.join(names)}", file=sys.stderr)
        return 2
    return int(importlib.import_module(f"bench.{argv[0]}").main(argv[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
