"""The engine for Whisper on this machine: faster-whisper in worker processes, never in the bot's own.

What is said live has a process of its own, with a model that stays open; recordings have another, with a model that may be
better. A process that hangs or dies is replaced at once, and costs the utterance it had.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from core.errors import HearingError, WorkerDied, WorkerError, WorkerOverdue, WorkerOverMemory
from core.hearing.engines.whisper_worker import JOIN_S, HearingOptions, ModelSpec, hear, is_open, open_model
from core.hearing.models import chosen, verify
from core.hearing.stretches import MOST_S, stretches
from core.hearing.text import Transcription
from core.hearing.transcriber import NO_BIAS, failure
from core.hearing.turns import Turns
from core.hearing.vad import RATE_HZ
from core.machine.lane import Priority
from core.tasks import Tasks

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from core.config.hearing import HearingSection
    from core.hearing.stretches import Stretch
    from core.hearing.transcriber import Bias, Purpose
    from core.machine.lane import PreparedLane
    from core.machine.workers import Workers

_log = logging.getLogger(__name__)

OPEN_S = 120.0
_BLOCK = 30 * RATE_HZ
_PRIORITIES: dict[Purpose, Priority] = {
    "live": Priority.TURN,
    "captions": Priority.CAPTION,
    "recording": Priority.TRANSCRIPT,
}


class WhisperTranscriber:
    """Speech to text by faster-whisper."""

    name = "whisper"

    def __init__(self, section: HearingSection, base: Path, workers: Workers) -> None:
        self._section = section
        self._base = base
        self._live, self._batch = workers.live, workers.models
        self.address = "on this machine"
        self.model = "tiny.en" if section.engine == "embedded" else section.model
        self._specs: dict[PreparedLane, ModelSpec] = {}
        self._turns = {lane: Turns(lane.limits.processes) for lane in (self._live, self._batch)}
        self._tasks = Tasks("whisper")
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Find and verify the models, and load the one for what is said live.

        Raises:
            HearingError: A model is missing, damaged or another than it says, or there is no memory or GPU for it.
        """
        async with self._opening:
            if self._specs:
                return
            live, batch = await asyncio.to_thread(self._find)
            self.model = live.name
            for lane, spec in ((self._live, live), (self._batch, batch)):
                lane.prepare_with(open_model, spec)
            await self._load(self._live, live)
            self._specs = {self._live: live, self._batch: batch}

    async def transcribe(
        self,
        samples: NDArray[np.float32],
        *,
        language: str | None = None,
        bias: Bias = NO_BIAS,
        words: bool = False,
        purpose: Purpose = "live",
        deadline_s: float | None = None,
        replaces: str = "",
    ) -> Transcription:
        """The text of some sound; see `Transcriber.transcribe`.

        What is longer than half a minute goes piece by piece, so that others come in between, and cancelling stops the rest.
        """
        if not self._specs:
            await self.open()
        lane = self._batch if purpose == "recording" else self._live
        whisper = self._section.whisper
        beam = whisper.recording_beam if purpose == "recording" else whisper.beam
        options = HearingOptions(self._language(language), bias, words, beam)
        if len(samples) <= MOST_S * RATE_HZ:
            return await self._hear(lane, samples, options, purpose, deadline_s, replaces)
        parts: list[Transcription] = []
        for stretch in await asyncio.to_thread(_cut, samples):
            heard = await self._hear(lane, stretch.samples, options, purpose, deadline_s, replaces)
            parts.append(heard.moved(stretch.start_s))
        return Transcription.joined(parts, self.name, self._specs[lane].name)

    async def close(self) -> None:
        """Nobody is heard any more; the processes end with their lanes."""
        for turns in self._turns.values():
            turns.close()
        await self._tasks.cancel_all()

    def _find(self) -> tuple[ModelSpec, ModelSpec]:
        section, found = self._section, chosen(self._section, "", self._base)
        verify(found)
        whisper = section.whisper
        live = ModelSpec(found.name, str(found.folder), section.device, section.compute_type, whisper.cpu_threads)
        better = section.transcripts.model
        if not better:
            return live, live
        other = chosen(section, better, self._base)
        verify(other)
        return live, replace(live, name=other.name, folder=str(other.folder))

    def _language(self, wanted: str | None) -> str | None:
        language = wanted or self._section.language
        return None if language == "auto" else language

    async def _load(self, lane: PreparedLane, spec: ModelSpec) -> None:
        try:
            await lane.run(is_open, spec, deadline_s=OPEN_S)
        except WorkerError as error:
            raise self._told(error, OPEN_S) from error

    async def _hear(
        self,
        lane: PreparedLane,
        samples: NDArray[np.float32],
        options: HearingOptions,
        purpose: Purpose,
        deadline_s: float | None,
        replaces: str,
    ) -> Transcription:
        limit_s = deadline_s if deadline_s is not None else self._section.deadline_s
        if purpose == "recording" and deadline_s is None:
            limit_s = lane.limits.deadline_s
        async with self._turns[lane].turn(purpose, replaces):
            spec = self._specs[lane]
            try:
                return await lane.run(hear, spec, samples, options, deadline_s=limit_s, priority=_PRIORITIES[purpose])
            except WorkerError as error:
                if isinstance(error, WorkerDied | WorkerOverdue | WorkerOverMemory):
                    _log.warning("the recogniser is started anew: %s", error.sentence)
                    self._tasks.start(self._again(lane, spec), f"start {spec.name} anew")
                raise self._told(error, limit_s) from error

    async def _again(self, lane: PreparedLane, spec: ModelSpec) -> None:
        """Load the model in a new process before the next utterance comes."""
        try:
            await self._load(lane, spec)
        except HearingError as error:
            _log.warning("the recogniser cannot be started anew: %s", error.sentence, exc_info=error)

    def _told(self, error: WorkerError, limit_s: float) -> HearingError:
        if isinstance(error, WorkerOverdue):
            return failure(self, f"took longer than {limit_s:g} s and was started anew")
        if isinstance(error, WorkerOverMemory):
            return failure(self, "wanted more memory than [workers] gives it, and was started anew")
        return failure(self, "was ended from outside and is started anew")


def _cut(samples: NDArray[np.float32]) -> list[Stretch]:
    """The speech of a long sound; ONNX Runtime lets go of the interpreter while this thread works."""
    blocks = (samples[first : first + _BLOCK] for first in range(0, len(samples), _BLOCK))
    return list(stretches(blocks, join_s=JOIN_S))
