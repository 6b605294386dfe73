"""Piper inside this process: an .onnx voice file and the optional package `piper-tts`.

Supports rate through `length_scale`; pitch is done on our side. Has the one voice of its file.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import SpeechError
from core.speech.engine import SpeechChunk, Voice, failure

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from pathlib import Path

NO_PACKAGE = "The speech engine piper needs the package piper-tts to use a voice file: pip install piper-tts."


class PiperFileEngine:
    """Speech from a voice file, sentence by sentence, on a thread of its own."""

    name = "piper"
    takes_tokens = False

    def __init__(self, file: Path) -> None:
        self._file = file
        self.address = file.name
        self._voice: Any = None
        self._package: Any = None
        self._thread: ThreadPoolExecutor | None = None

    async def check(self) -> None:
        """Look whether the file is there, and the package; neither is loaded.

        Raises:
            SpeechError: It is not.
        """
        await asyncio.to_thread(self._require)

    async def open(self) -> None:
        """Load the voice.

        Raises:
            SpeechError: The file or the package is missing, or the file is no voice.
        """
        self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="piper")
        await asyncio.get_running_loop().run_in_executor(self._thread, self._load)

    async def close(self) -> None:
        """Let go of the voice."""
        thread, self._thread = self._thread, None
        self._voice = None
        if thread is not None:
            thread.shutdown(wait=False, cancel_futures=True)

    async def voices(self) -> Sequence[str]:
        """The one voice, by the name of its file."""
        return (self._file.stem,)

    def native(self, voice: Voice) -> Voice:
        """Rate, through `length_scale`."""
        return Voice(voice.name, voice.rate, 0.0)

    async def stream(self, text: AsyncIterator[str], voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """Each piece of text as sound, a chunk as soon as a sentence of it is made."""
        async for piece in text:
            first = piece
            async with aclosing(self._synthesise(piece.strip(), voice.rate)) as parts:
                async for rate_hz, samples in parts:
                    yield SpeechChunk(samples, rate_hz, first)
                    first = ""

    async def _synthesise(self, text: str, rate: float) -> AsyncGenerator[tuple[int, Any], None]:
        if self._thread is None or self._voice is None:
            raise failure(self, "is not open")
        loop = asyncio.get_running_loop()
        made: asyncio.Queue[tuple[int, Any] | None] = asyncio.Queue()  # bounded by the length of one clause
        stopped = threading.Event()
        speaker = self._voice

        def work() -> None:
            try:
                how = self._package.SynthesisConfig(length_scale=None if rate == 1 else 1 / rate)
                for chunk in speaker.synthesize(text, how):
                    if stopped.is_set():
                        return
                    part = (int(chunk.sample_rate), np.asarray(chunk.audio_float_array, np.float32))
                    loop.call_soon_threadsafe(made.put_nowait, part)
            finally:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(made.put_nowait, None)

        job = loop.run_in_executor(self._thread, work)
        try:
            while (part := await made.get()) is not None:
                yield part
            try:
                await job
            except Exception as error:
                raise failure(self, "could not speak a piece of text") from error
        finally:
            stopped.set()

    def _require(self) -> None:
        if not self._file.is_file():
            raise SpeechError(
                f"The speech engine piper has no voice file {self._file.name}; see [speech.piper] voice_file."
            )
        if not self._file.with_name(f"{self._file.name}.json").is_file():
            raise SpeechError(f"The speech engine piper needs {self._file.name}.json beside {self._file.name}.")
        if "piper" not in sys.modules and importlib.util.find_spec("piper") is None:
            raise SpeechError(NO_PACKAGE)

    def _load(self) -> None:
        self._require()
        try:
            self._package = importlib.import_module("piper")
        except ImportError as error:
            raise SpeechError(NO_PACKAGE) from error
        try:
            self._voice = self._package.PiperVoice.load(str(self._file))
        except Exception as error:
            raise failure(self, "cannot be loaded: the file is no Piper voice") from error
