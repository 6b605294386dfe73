"""Pickles in which paths of shared folders are names: each machine has such a folder where it likes."""

from __future__ import annotations

import io
import json
import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "PARLEY_ROOT_{}"  # where a machine has the root of this name


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, roots: Mapping[str, str]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._roots = roots

    def persistent_id(self, obj: Any) -> str | None:
        """Name, where the root is here, the rest, whether it was a `Path`; None for anything but a path below a root.

        One text, since of anything else the parts would be asked for in turn.
        """
        if not isinstance(obj, str | Path):
            return None
        text = str(obj)
        for name, root in self._roots.items():
            if text == root or text.startswith((f"{root}/", f"{root}{os.sep}")):
                return json.dumps([name, root, text[len(root) + 1 :].replace(os.sep, "/"), isinstance(obj, Path)])
        return None


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, pid: str) -> str | Path:
        """The path as it is on this machine."""
        name, root, rest, was_path = json.loads(pid)
        path = Path(os.environ.get(VARIABLE.format(name.upper())) or root) / rest
        return path if was_path else str(path)


def dumps(value: Any, roots: Mapping[str, str]) -> bytes:
    """A pickle of `value`; texts and paths that begin with one of `roots` travel by its name."""
    file = io.BytesIO()
    _Pickler(file, roots).dump(value)
    return file.getvalue()


def loads(data: bytes) -> Any:
    """What such a pickle holds, with its paths as they are here."""
    return _Unpickler(io.BytesIO(data)).load()
