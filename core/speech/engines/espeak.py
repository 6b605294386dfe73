"""The embedded engine: espeak-ng from the `espeakng-loader` wheel, called through ctypes. Needs no server.

Supports voice (a language such as "en-us", with a variant such as "en-us+f3"), rate, and pitch from 6.5
semitones below to 9 above.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from core.errors import SpeechError
from core.names import term
from core.speech.engine import SpeechChunk, Voice, failure

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

    from core.config.speech import EspeakSection

T = TypeVar("T")

# From espeak-ng's speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_POS_CHARACTER = 1
_CHARS_UTF8 = 1
_ENDPAUSE = 0x1000
_RATE, _PITCH = 1, 3
_BUFFER_MS = 200  # of audio a callback; the first comes after 0.2 ms, so smaller ones gain nothing

_MIN_WPM, _MAX_WPM = 80, 450
_MID_PITCH = 50
_HIGHEST, _LOWEST = 9.0, -6.5  # semitones at the pitch parameters 99 and 0, measured as median F0 of a sentence
_PAUSES_AFTER = (".", "!", "?", ",", ";", ":", "…", "。", "！", "？", "、", "，")
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class _VoiceInfo(ctypes.Structure):
    """`espeak_VOICE` as far as it is read here."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),  # a priority byte and a name, repeated; ended by a zero byte
        ("identifier", ctypes.c_char_p),
    ]


class _Library:
    """The one espeak-ng of this process. Its state is global, so everything happens on one thread, one at a time."""

    def __init__(self) -> None:
        """Load and initialise; call it on the library's thread. Raises `SpeechError`."""
        try:
            import espeakng_loader  # pyright: ignore[reportMissingTypeStubs] - the wheel has none

            library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
            self._data = Path(espeakng_loader.get_data_path())
        except (ImportError, OSError, RuntimeError) as error:
            raise SpeechError("The embedded speech engine espeak-ng cannot be loaded.") from error
        self.rate_hz = int(
            library.espeak_Initialize(
                _AUDIO_OUTPUT_SYNCHRONOUS, _BUFFER_MS, os.fsencode(self._data), _INITIALIZE_DONT_EXIT
            )
        )
        if self.rate_hz <= 0:
            raise SpeechError("The embedded speech engine espeak-ng does not start: its data cannot be read.")
        library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_VoiceInfo))
        self._library = library
        self._give: Callable[[bytes], bool] = lambda _pcm: False
        self._callback = _CALLBACK(self._took)  # kept: the library holds only its address
        library.espeak_SetSynthCallback(self._callback)

    def voices(self) -> list[str]:
        """Languages, as `speak` takes them."""
        listed = self._library.espeak_ListVoices(None)
        found: list[str] = []
        for voice in iter(listed):
            if not voice:
                break
            identifier = voice.contents.identifier.decode()
            if self._has_dictionary(identifier):
                found.append(identifier.rpartition("/")[2].lower())
        return sorted({name for name in found if self.has(name)})

    def _has_dictionary(self, identifier: str) -> bool:
        """A few languages of the wheel lack theirs; the library would complain on standard error and read letters."""
        name = identifier.rpartition("/")[2]
        try:
            described = (self._data / "lang" / identifier).read_text(encoding="utf-8", errors="replace")
        except OSError:  # not a language: a variant, which has no dictionary of its own
            return True
        named = re.search(r"^dictionary\s+(\S+)", described, re.MULTILINE)
        names = (named[1],) if named else (name, name.partition("-")[0])
        return any((self._data / f"{each}_dict").exists() for each in names)

    def has(self, voice: str) -> bool:
        """Whether there is such a voice."""
        return self._library.espeak_SetVoiceByName(voice.encode()) == 0

    def speak(self, text: str, voice: str, wpm: int, pitch: int, give: Callable[[bytes], bool]) -> bool:
        """Synthesise; `give` gets s16le PCM piece by piece and says whether to go on. False: no such voice."""
        if not self.has(voice):
            return False
        self._library.espeak_SetParameter(_RATE, wpm, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        pause = _ENDPAUSE if text.endswith(_PAUSES_AFTER) else 0
        encoded = text.encode("utf-8", "ignore") + b"\0"
        self._give = give
        self._library.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded)), 0, _POS_CHARACTER, 0, _CHARS_UTF8 | pause, None, None
        )
        return True

    def _took(self, samples: Any, count: int, _events: int | None) -> int:
        if not samples or count <= 0:
            return 0
        return 0 if self._give(ctypes.string_at(samples, count * 2)) else 1


_thread = ThreadPoolExecutor(1, thread_name_prefix="espeak")


@lru_cache(maxsize=1)
def _library() -> _Library:
    return _Library()


class EspeakEngine:
    """The embedded engine. First samples come within a millisecond, 500 times faster than they play."""

    name = "espeak"
    address = "this machine"
    takes_tokens = False

    def __init__(self, section: EspeakSection) -> None:
        self._section = section
        self._checked = False

    async def check(self) -> None:
        """Load the library and check the configured voice.

        Raises:
            SpeechError: The library does not load, or there is no such voice.
        """
        if not await self._run(lambda: _library().has(self._section.voice)):
            raise self._no_voice(self._section.voice)
        self._checked = True

    async def open(self) -> None:
        """Nothing more than `check`, if that was not done: the library is loaded by then."""
        if not self._checked:
            await self.check()

    async def close(self) -> None:
        """Nothing to let go of: the library stays for the next session."""

    async def voices(self) -> Sequence[str]:
        """Languages; each also takes a variant, for example "en-us+f3" or "de+m2"."""
        return await self._run(lambda: _library().voices())

    def native(self, voice: Voice) -> Voice:
        """Rate between 80 and 450 words a minute, pitch between 6.5 semitones below and 9 above."""
        own = self._section.words_per_minute
        rate = min(_MAX_WPM, max(_MIN_WPM, own * voice.rate)) / own
        return Voice(voice.name, rate, min(_HIGHEST, max(_LOWEST, voice.pitch)))

    async def stream(self, text: AsyncIterator[str], voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """Each piece of text as sound, its first samples while the rest is still being made."""
        async for piece in text:
            first = piece
            async with aclosing(self._synthesise(piece, voice)) as parts:
                async for pcm in parts:
                    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
                    yield SpeechChunk(samples, _library().rate_hz, first)
                    first = ""

    async def _synthesise(self, text: str, voice: Voice) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        made: asyncio.Queue[bytes | None] = asyncio.Queue()  # bounded by the length of one clause
        stopped = threading.Event()
        own = self.native(voice)
        name = voice.name or self._section.voice

        def give(pcm: bytes) -> bool:
            if stopped.is_set():
                return False
            loop.call_soon_threadsafe(made.put_nowait, pcm)
            return True

        def work() -> bool:
            pitch = round(_MID_PITCH * (1 + own.pitch / (_HIGHEST if own.pitch > 0 else -_LOWEST)))
            try:
                wpm = round(self._section.words_per_minute * own.rate)
                return stopped.is_set() or _library().speak(text.strip(), name, wpm, min(99, max(0, pitch)), give)
            finally:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(made.put_nowait, None)

        job = loop.run_in_executor(_thread, work)
        try:
            while (pcm := await made.get()) is not None:
                yield pcm
            if not await job:
                raise self._no_voice(name)
        finally:
            stopped.set()

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(_thread, work)

    def _no_voice(self, voice: str) -> SpeechError:
        return failure(self, f'has no voice "{term(voice)}"; a language such as "en-us" or "de" is one')
