"""Names that a recording's metadata gives: bare names of plain files in its folder, whoever wrote them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SEGMENTS = "segments"
MAX_NAME_BYTES = 255
_FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f]')  # separators, drives and streams of every system
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\..*)?", re.IGNORECASE)


def bare_name(name: str) -> str:
    """A name as it is, if it can only mean a file within a folder.

    Raises:
        ValueError: It could lead out of the folder, or is a device, or no file system takes it.
    """
    if (
        not name
        or name.startswith(".")
        or name.endswith((".", " "))
        or _FORBIDDEN.search(name)
        or _DEVICES.fullmatch(name)
        or len(name.encode(errors="surrogatepass")) > MAX_NAME_BYTES
    ):
        raise ValueError(f"{name[:100]!r} is not the bare name of a file in the recording's folder")
    return name


def segment_name(name: str) -> str:
    """The same for an utterance, which may have a file of its own below `segments/`.

    Raises:
        ValueError: As above.
    """
    bare_name(name.removeprefix(f"{SEGMENTS}/"))
    return name


def file_in(folder: Path, name: str) -> Path | None:
    """A file that the metadata names, if it is there: a plain file, reached through no link.

    Raises:
        ValueError: The name leads out of the folder.
    """
    segment_name(name)
    path = folder / name
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        return None
    return path
