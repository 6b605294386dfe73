"""`[workers]`: the lanes in which heavy work is done."""

from __future__ import annotations

from pydantic import Field

from core.config.section import Section

_PROCESSES = "Processes at most; they start with the first work."
_DEADLINE = "Seconds that one job may take; then its process is ended and replaced."
_IDLE = "Processes without work end after this many seconds; 0 keeps them."
_MEMORY = "Memory that a job may take, beside what the process holds anyway; 0 is no limit."


class LiveLane(Section):
    """`[workers.live]`: what somebody waits for while they speak."""

    processes: int = Field(default=1, ge=1, le=64, description=_PROCESSES)
    deadline_s: float = Field(default=30, gt=0, le=86400, description=_DEADLINE)
    idle_s: float = Field(default=0, ge=0, description=_IDLE)
    memory_mb: int = Field(default=0, ge=0, description=_MEMORY)


class RenderLane(Section):
    """`[workers.render]`: recordings are made ready and packed."""

    deadline_s: float = Field(default=4 * 3600, gt=0, le=86400, description=_DEADLINE)
    idle_s: float = Field(default=300, ge=0, description=_IDLE)
    memory_mb: int = Field(default=0, ge=0, description=_MEMORY)


class StrangersLane(Section):
    """`[workers.strangers]`: files that people send are opened here and nowhere else."""

    processes: int = Field(default=1, ge=1, le=64, description=_PROCESSES)
    deadline_s: float = Field(default=20, gt=0, le=86400, description=_DEADLINE)
    idle_s: float = Field(default=60, ge=0, description=_IDLE)
    memory_mb: int = Field(default=1024, ge=64, description="Memory that one file may take.")
    max_waiting: int = Field(
        default=16, ge=1, le=1000, description="Files that wait or are worked on; more are refused."
    )
    max_waiting_guild: int = Field(default=8, ge=1, le=1000, description="The same, of one server.")
    max_waiting_person: int = Field(default=2, ge=1, le=1000, description="The same, of one person.")


class ModelsLane(Section):
    """`[workers.models]`: models that are kept open: recordings become text."""

    processes: int = Field(default=1, ge=1, le=64, description=_PROCESSES)
    deadline_s: float = Field(default=3600, gt=0, le=86400, description=_DEADLINE)
    idle_s: float = Field(default=600, ge=0, description=_IDLE)
    memory_mb: int = Field(default=0, ge=0, description=_MEMORY)


class WorkersSection(Section):
    """Who does the heavy work. Each kind of work has processes of its own, so that none waits for another."""

    processes: int = Field(
        default=0,
        ge=0,
        le=64,
        description="Processes that render at most; 0 is one fewer than there are cores, at least 1.",
    )
    scheduler: str = Field(
        default="",
        pattern=r"^$|^(tcp|tls|ws|wss|ucx)://\S+$",
        description="Address of a Dask scheduler (tcp://host:8786) whose workers render and transcribe recordings instead.",
    )
    live: LiveLane = LiveLane()
    render: RenderLane = RenderLane()
    strangers: StrangersLane = StrangersLane()
    models: ModelsLane = ModelsLane()
