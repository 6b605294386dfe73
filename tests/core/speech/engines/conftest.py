"""What the tests of the engines share: a speaker around each, and how to look at what it gives."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from core.config.speech import SpeechSection
from core.speech.factory import create_engine
from core.speech.speaker import Speaker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from core.speech.engine import SpeechChunk


@dataclass
class Heard:
    """A turn as it came out of a speaker."""

    text: str
    sound: np.ndarray
    texts: list[str]

    @property
    def duration_s(self) -> float:
        return len(self.sound) / 48000


@pytest.fixture
def opened() -> Callable[..., AbstractAsyncContextManager[Speaker]]:
    """Opens a speaker with the engine that the keywords configure, and closes it."""

    @asynccontextmanager
    async def make(engine: str, *, environ: Mapping[str, str] | None = None, **settings: Any) -> AsyncIterator[Speaker]:
        section = SpeechSection(engine=engine, **{"first_audio_timeout_s": 20, "retries": 0, **settings})
        speaker = Speaker(create_engine(section, environ or {}, Path()), section)
        try:
            await speaker.open()
            yield speaker
        finally:
            await speaker.close()

    return make


@pytest.fixture
def listen() -> Callable[[AsyncIterator[SpeechChunk]], Any]:
    async def collect(chunks: AsyncIterator[SpeechChunk]) -> Heard:
        taken = [chunk async for chunk in chunks]
        sound = np.concatenate([chunk.samples for chunk in taken] or [np.zeros(0, np.float32)])
        texts = [chunk.text for chunk in taken if chunk.text]
        return Heard("".join(texts), sound, texts)

    return collect
