"""Memories: the system's, and GPUs by sysfs and NVML."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from core.hub import Hub
from core.machine.memory import Memory, MemoryReader, MemoryWatch
from tests.core.lockdown.house import HandClock, until

if TYPE_CHECKING:
    from pathlib import Path

GIB = 2**30


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


class NoDriverError(Exception):
    pass


def nvml(*gpus: tuple[str | bytes, int, int], driver: bool = True) -> Any:
    def init() -> None:
        if not driver:
            raise NoDriverError("Driver Not Loaded")

    return SimpleNamespace(
        NVMLError=NoDriverError,
        nvmlInit=init,
        nvmlDeviceGetCount=lambda: len(gpus),
        nvmlDeviceGetHandleByIndex=lambda index: gpus[index],
        nvmlDeviceGetName=lambda handle: handle[0],
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(used=handle[1], total=handle[2]),
    )


def test_system_memory_counts_what_could_be_freed_as_free(tmp_path: Path) -> None:
    write(tmp_path, "proc/meminfo", "MemTotal:       1000 kB\nMemFree:  100 kB\nMemAvailable:    250 kB\n")
    assert MemoryReader(root=tmp_path).read() == [Memory("System memory", 750 * 1024, 1000 * 1024)]


def test_amd_gpus_are_read_from_sysfs_and_numbered(tmp_path: Path) -> None:
    write(tmp_path, "proc/meminfo", "")
    for card, used in (("card0", 1), ("card1", 2)):
        write(tmp_path, f"sys/class/drm/{card}/device/mem_info_vram_total", f"{8 * GIB}\n")
        write(tmp_path, f"sys/class/drm/{card}/device/mem_info_vram_used", f"{used * GIB}\n")
    write(tmp_path, "sys/class/drm/card2/device/mem_info_vram_total", "garbage\n")
    memories = MemoryReader(root=tmp_path).read()
    assert memories == [Memory("AMD GPU 1", GIB, 8 * GIB), Memory("AMD GPU 2", 2 * GIB, 8 * GIB)]
    assert memories[1].share == 0.25


def test_nvidia_gpus_are_read_through_nvml(tmp_path: Path) -> None:
    write(tmp_path, "proc/meminfo", "")
    reader = MemoryReader(root=tmp_path, nvml=nvml((b"RTX 3060", 3 * GIB, 12 * GIB)))
    assert reader.read() == [Memory("RTX 3060", 3 * GIB, 12 * GIB)]


def test_no_gpu_and_no_driver_are_fine(tmp_path: Path) -> None:
    write(tmp_path, "proc/meminfo", "")
    assert MemoryReader(root=tmp_path, nvml=nvml(driver=False)).read() == []


def test_this_machine_has_a_system_memory() -> None:
    shares = [memory.share for memory in MemoryReader().read() if memory.name == "System memory"]
    assert all(0 < share < 1 for share in shares)


async def test_a_session_that_begins_later_is_told_how_full_a_memory_is_by_then() -> None:
    used = 9 * GIB
    reader, clock = SimpleNamespace(read=lambda: [Memory("System memory", used, 10 * GIB)]), HandClock()
    watch = MemoryWatch(cast("Any", reader), Hub(), clock, warning_share=0.8, interval_s=30)
    watch.start()
    await until(lambda: watch.low)
    used = int(9.5 * GIB)
    await clock.turn(30)
    await until(lambda: watch.low == (Memory("System memory", used, 10 * GIB),))
    await watch.close()
