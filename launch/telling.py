"""Tells the demo's story on the terminal, line by line, with the time."""

from __future__ import annotations

import textwrap
import time

WIDTH = 100


class Story:
    """Prints what happens, with the seconds since the start."""

    def __init__(self, introduction: str) -> None:
        self.begun_s = time.monotonic()
        print(f"\n{introduction}", flush=True)

    def tell(self, text: str) -> None:
        """What happens now."""
        self._print(f"{time.monotonic() - self.begun_s:6.2f} s  ", text)

    def detail(self, text: str) -> None:
        """Something more about it."""
        self._print(" " * 10, text)

    def chapter(self, title: str) -> None:
        """What follows is of another kind."""
        print(f"\n{title}", flush=True)

    def _print(self, margin: str, text: str) -> None:
        print(textwrap.fill(text, WIDTH, initial_indent=margin, subsequent_indent=" " * len(margin)), flush=True)
