"""Finds libopus inside PyAV's wheel and gives it to discord.py, whose Linux and macOS wheels carry none."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

from discord import opus

_log = logging.getLogger(__name__)

_PLACES = (
    ("..", "av.libs", "libopus-*.so*"),  # auditwheel, Linux
    (".", ".dylibs", "libopus*.dylib"),  # delocate, macOS
    ("..", "av.libs", "*opus*.dll"),  # delvewheel, Windows
)


def find_libopus() -> Path | None:
    """The library file in the installed `av` wheel, without importing it; None when there is none."""
    spec = importlib.util.find_spec("av")
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    for up, folder, pattern in _PLACES:
        for found in sorted((package / up / folder).glob(pattern)):
            return found.resolve()
    return None


def load_opus() -> None:
    """Makes sure that discord.py can encode and decode.

    Raises:
        OSError: there is no libopus, neither in the `av` wheel nor in the system.
    """
    if opus.is_loaded():
        return
    found = find_libopus()
    if found is not None:
        opus.load_opus(str(found))
        _log.debug("libopus is %s", found)
        return
    if not opus._load_default():  # the only way to ask discord.py to look where it would look itself
        raise OSError("libopus was not found: neither the wheel of PyAV nor the system has it")
