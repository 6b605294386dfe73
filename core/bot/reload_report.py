"""Faults of code as an administrator may read them: where and what, without the paths of the machine."""

from __future__ import annotations

import re
import sys
import time
import traceback
from pathlib import Path

from core.config import CHECKOUT

# Anything absolute: a drive or a slash, then folders. Addresses (https://...) and commands (/voice) are left alone.
_ABSOLUTE = re.compile(r"(?<![\w./:<])(?:[A-Za-z]:)?[\\/](?:[^\\/\s:'\"<>|,()]+[\\/])+")


def describe(error: BaseException, limit: int) -> str:
    """The root of an error with its place in our code, in at most `limit` characters, safe for a code block."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    lines = [*_place(cause), f"{type(cause).__name__}: {cause.msg if isinstance(cause, SyntaxError) else cause}"]
    text = without_paths("\n".join(lines)).replace("```", "'''")
    return text if len(text) <= limit else text[: limit - 2] + " …"


def without_paths(text: str) -> str:
    """The text with files named from the checkout on, and others by their bare names."""
    for folder in (CHECKOUT, Path.cwd(), Path.home(), Path(sys.prefix), Path(sys.base_prefix)):
        if folder != folder.parent:  # the root of a disk stands in every path
            text = text.replace(f"{folder}\\", "").replace(f"{folder}/", "")
    return _ABSOLUTE.sub("", text)


def changed_since_start() -> list[str]:
    """Files of `core/` that are loaded and have changed since this process started; blocking."""
    started = process_started_s()
    files = {
        Path(file)
        for name, module in sys.modules.copy().items()
        if name.split(".")[0] == "core" and (file := getattr(module, "__file__", None))
    }
    now = time.time()
    return sorted(_named(file) for file in files if _is_between(file, started, now))


def process_started_s() -> float:
    """When this process started, in seconds of the wall clock."""
    import psutil

    return psutil.Process().create_time()


def _is_between(file: Path, started: float, now: float) -> bool:
    try:
        return started < file.stat().st_mtime <= now
    except OSError:  # gone since: changed as well
        return True


def _place(error: BaseException) -> list[str]:
    """Where it happened: the line of a syntax error, else the innermost line of ours."""
    if isinstance(error, SyntaxError) and error.filename:
        return [f"{_named(Path(error.filename))}, line {error.lineno}", *_line(error.text)]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_ours(Path(frame.filename)):
            return [f"{_named(Path(frame.filename))}, line {frame.lineno}", *_line(frame.line)]
    return []


def _line(source: str | None) -> list[str]:
    return [f"    {source.strip()}"] if source and source.strip() else []


def _is_ours(file: Path) -> bool:
    return (file.is_relative_to(CHECKOUT) and "site-packages" not in file.parts) or file.parent.name == "cogs"


def _named(file: Path) -> str:
    if file.is_relative_to(CHECKOUT):
        return file.relative_to(CHECKOUT).as_posix()
    return "/".join(file.parts[-2:])
