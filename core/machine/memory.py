"""Reads how full the memories are: the system's, NVIDIA GPUs through NVML, AMD GPUs through sysfs. A machine may have none of them."""

from __future__ import annotations

import asyncio
import importlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.events import MemoryRanLow
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.clock import Clock
    from core.hub import Hub

_log = logging.getLogger(__name__)

SYSTEM = "System memory"
ROOM_AGAIN = 0.05  # a warning is given again only after use fell this far under the threshold


@dataclass(frozen=True, slots=True)
class Memory:
    """One memory and how much of it is used."""

    name: str
    used_bytes: int
    total_bytes: int

    @property
    def share(self) -> float:
        """How much of it is used, 0 to 1."""
        return self.used_bytes / self.total_bytes if self.total_bytes else 0.0


class MemoryReader:
    """Reads every memory there is. Its calls block for some milliseconds: they belong in a thread.

    `nvml` is the module `pynvml` of nvidia-ml-py, found by itself if installed; `root` is where `/sys` and `/proc` are.
    """

    def __init__(self, *, root: Path = Path("/"), nvml: Any = None) -> None:
        self._root = root
        self._nvml = nvml
        self._nvml_ready: bool | None = None

    def read(self) -> list[Memory]:
        """The memories, the system's first."""
        return [*self._system(), *self._nvidia(), *self._amd()]

    def _system(self) -> list[Memory]:
        try:
            lines = (self._root / "proc" / "meminfo").read_text(encoding="ascii").splitlines()
        except OSError:
            return self._by_psutil()
        kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if rest.split()}
        total, available = kib.get("MemTotal", 0), kib.get("MemAvailable", 0)
        return [Memory(SYSTEM, (total - available) * 1024, total * 1024)] if total else []

    def _by_psutil(self) -> list[Memory]:
        try:
            psutil: Any = importlib.import_module("psutil")
        except ImportError:
            return []
        memory = psutil.virtual_memory()
        return [Memory(SYSTEM, memory.total - memory.available, memory.total)]

    def _nvidia(self) -> list[Memory]:
        if not self._open_nvml():
            return []
        nvml = self._nvml
        found: list[Memory] = []
        try:
            for index in range(nvml.nvmlDeviceGetCount()):
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                name = nvml.nvmlDeviceGetName(handle)
                memory = nvml.nvmlDeviceGetMemoryInfo(handle)
                label = name.decode() if isinstance(name, bytes) else str(name)
                found.append(Memory(label, int(memory.used), int(memory.total)))
        except nvml.NVMLError as error:
            _log.warning("NVML: %s", error)
        return _numbered(found)

    def _open_nvml(self) -> bool:
        if self._nvml_ready is None:
            try:
                self._nvml = self._nvml or importlib.import_module("pynvml")
            except ImportError:
                self._nvml_ready = False
                return False
            try:
                self._nvml.nvmlInit()
                self._nvml_ready = True
            except self._nvml.NVMLError as error:  # installed, but there is no driver
                _log.info("NVML: %s", error)
                self._nvml_ready = False
        return self._nvml_ready

    def _amd(self) -> list[Memory]:
        found: list[Memory] = []
        for total_file in sorted(self._root.glob("sys/class/drm/card*/device/mem_info_vram_total")):
            try:
                total = int(total_file.read_text(encoding="ascii"))
                used = int(total_file.with_name("mem_info_vram_used").read_text(encoding="ascii"))
            except (OSError, ValueError) as error:
                _log.info("%s: %s", total_file, error)
                continue
            found.append(Memory(_amd_name(total_file.parent), used, total))
        return _numbered(found)


class MemoryWatch:
    """Looks at the memories now and then and publishes `MemoryRanLow` past a threshold."""

    def __init__(
        self, reader: MemoryReader, hub: Hub, clock: Clock, *, warning_share: float, interval_s: float
    ) -> None:
        self._reader = reader
        self._hub = hub
        self._clock = clock
        self._warning_share = warning_share
        self._interval_s = interval_s
        self._warned: dict[str, Memory] = {}
        self._tasks = Tasks("memory")

    @property
    def low(self) -> Sequence[Memory]:
        """What was warned of and had no room since, as it is now; for a session that began afterwards."""
        return tuple(self._warned.values())

    def start(self) -> None:
        """Watch until `stop`; a second call does nothing."""
        self._tasks.start(self._watch(), "watch")

    def stop(self) -> None:
        """Watch no more."""
        self._tasks.cancel("watch")
        self._warned.clear()

    async def close(self) -> None:
        """Stop, and wait until that is so."""
        await self._tasks.cancel_all()

    async def read(self) -> Sequence[Memory]:
        """How full the memories are now."""
        return await asyncio.to_thread(self._reader.read)

    async def _watch(self) -> None:
        while True:
            for memory in await self.read():
                self._judge(memory)
            await self._clock.sleep(self._interval_s)

    def _judge(self, memory: Memory) -> None:
        if memory.share < self._warning_share - ROOM_AGAIN:
            self._warned.pop(memory.name, None)
        elif memory.name in self._warned:
            self._warned[memory.name] = memory
        elif memory.share >= self._warning_share:
            self._warned[memory.name] = memory
            _log.warning("%s: %.0f %% in use", memory.name, memory.share * 100)
            self._hub.publish(MemoryRanLow(memory.name, memory.used_bytes, memory.total_bytes))


def _amd_name(device: Path) -> str:
    try:
        return (device / "product_name").read_text(encoding="utf-8").strip() or "AMD GPU"
    except OSError:
        return "AMD GPU"


def _numbered(memories: list[Memory]) -> list[Memory]:
    """GPUs of one name get numbers, since warnings are kept by name."""
    names = [memory.name for memory in memories]
    return [
        memory
        if names.count(memory.name) == 1
        else Memory(f"{memory.name} {names[:index].count(memory.name) + 1}", memory.used_bytes, memory.total_bytes)
        for index, memory in enumerate(memories)
    ]
