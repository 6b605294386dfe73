"""Work for the tests of workers."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from typing import Any

OPENED: list[str] = []


class Stubborn(Exception):
    """Cannot be made again from its pickle."""

    def __init__(self, *, reason: str) -> None:
        super().__init__()
        self.reason = reason


def sleep(duration_s: float, value: Any = None) -> Any:
    time.sleep(duration_s)
    return value


def note(file: str, text: str, duration_s: float = 0.0) -> str:
    """Append a line at the beginning, and one at the end."""
    with open(file, "a", encoding="utf-8") as out:
        out.write(f"{text}\n")
    time.sleep(duration_s)
    return text


def tick(file: str, duration_s: float) -> None:
    """Show for a while that this process is alive."""
    until = time.monotonic() + duration_s
    while time.monotonic() < until:
        Path(file).write_text(str(os.getpid()))
        time.sleep(0.02)


def hold_the_interpreter(file: str) -> bool:
    """Compute for ages within C, so that no other thread of this process gets a turn."""
    Path(file).write_text(str(os.getpid()))
    return re.fullmatch(r"(a|a?)+b", "a" * 40) is None


def eat(megabytes: int) -> int:
    data = bytearray(megabytes * 2**20)
    for at in range(0, len(data), 4096):
        data[at] = 1
    return len(data)


def eat_slowly(megabytes: int) -> int:
    """The same, bit by bit, with a look at what is there."""
    parts: list[bytearray] = []
    for _ in range(megabytes // 8):
        parts.append(bytearray(b"x" * (8 * 2**20)))
        time.sleep(0.01)
    return len(parts)


def open_model(name: str) -> None:
    OPENED.append(name)


def opened() -> tuple[int, list[str]]:
    return os.getpid(), OPENED


def fail_to_open() -> None:
    raise LookupError("no such model")


def raise_stubborn() -> None:
    raise Stubborn(reason="that is how I am")


def return_a_function() -> Any:
    return lambda: None


def leave() -> None:
    raise SystemExit(3)


def vanish() -> None:
    os._exit(7)


def vanish_once(file: str) -> str:
    """Die at the first call, and work at the second."""
    try:
        Path(file).touch(exist_ok=False)
    except FileExistsError:
        return "done"
    os._exit(7)


def hang(*_: Any) -> None:
    """What a file may do to what opens it."""
    hold_the_interpreter(os.devnull)


def swell(*_: Any) -> None:
    eat(4000)


def crash(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def kill_parent() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(10)
