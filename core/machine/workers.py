"""Heavy work leaves this process: rendering, strangers' files, models. Each kind has a lane of its own."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from core.config.workers import WorkersSection
from core.machine.dask_lane import DaskLane
from core.machine.lane import LaneLimits, ProcessLane
from core.machine.prepare import open_decoders
from core.machine.worker_main import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from core.machine.lane import Lane, PreparedLane

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

TRIES = 2  # rendering goes on where a dead worker's files end


class Workers:
    """The lanes: `live`, `render`, `strangers` and `models`, named by what they are for. None waits for another.

    Each runs top-level functions of plain, picklable arguments in spawned processes of its own, which start with the
    first job; `render` and `models` on a Dask scheduler's workers, if `[workers] scheduler` names one.
    """

    live: ProcessLane
    render: Lane
    strangers: ProcessLane
    models: PreparedLane

    def __init__(self, section: WorkersSection | None = None, *, roots: Mapping[str, Path] | None = None) -> None:
        """Set up the lanes; nothing starts.

        Args:
            section: `[workers]`.
            roots: Folders that other machines have too, by name; see `DaskLane`.
        """
        section = section or WorkersSection()
        live, render, strangers, models = section.live, section.render, section.strangers, section.models
        self.live = ProcessLane(
            "live",
            LaneLimits(live.processes, live.deadline_s, live.memory_mb, live.idle_s, ends_cancelled=False),
        )
        processes = section.processes or max(1, (os.cpu_count() or 2) - 1)
        limits = LaneLimits(processes, render.deadline_s, render.memory_mb, render.idle_s, tries=TRIES)
        if section.scheduler:
            self.render = DaskLane(section.scheduler, limits, roots or {})
        else:
            self.render = ProcessLane("render", limits)
        self.strangers = ProcessLane(
            "strangers",
            LaneLimits(
                strangers.processes,
                strangers.deadline_s,
                strangers.memory_mb,
                strangers.idle_s,
                strangers.max_waiting,
                strangers.max_waiting_guild,
                strangers.max_waiting_person,
            ),
            Call(open_decoders),
        )
        if section.scheduler:
            kept = LaneLimits(models.processes, models.deadline_s, models.memory_mb, tries=TRIES)
            self.models = DaskLane(section.scheduler, kept, roots or {})
        else:
            self.models = ProcessLane(
                "models",
                LaneLimits(models.processes, models.deadline_s, models.memory_mb, models.idle_s, ends_cancelled=False),
            )

    async def run(self, function: Callable[[*Ts], R], *args: *Ts) -> R:
        """Run `function` in the `render` lane and return its result; its exception is raised here.

        Raises:
            WorkerError: It took too long, wanted too much, or its process is gone.
        """
        return await self.render.run(function, *args)

    async def close(self) -> None:
        """Drop what has not begun, end the workers."""
        await asyncio.gather(*(lane.close() for lane in (self.live, self.render, self.strangers, self.models)))
