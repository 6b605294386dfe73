"""The engine for ElevenLabs' streaming WebSocket: sentences in, sound with the times of its characters out.

Wire format: `wss .../v1/text-to-speech/{voice}/stream-input`, header `xi-api-key`; first `{"text": " "}` with the settings,
then texts that end with a blank, last `{"text": ""}`; back come base64 PCM with `alignment` (times count from the start of
each message) and at the end `{"isFinal": true}`. One socket a turn, as the protocol wants it; what was heard is known to the
word. Supports voice (name or id), and rate between 0.7 and 1.2; the rest of the rate, and pitch, are done on our side.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode

import numpy as np
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from core.clock import SystemClock
from core.speech.chunking import Chunker
from core.speech.clause_feed import ClauseFeed, Script
from core.speech.engine import SpeechChunk, Voice, failure, shown_address
from core.speech.engines.http import CONNECT_S, MOST_MESSAGE, HttpClient, lost, read_json, refusal
from core.speech.recognise import no_sound
from core.speech.text_alignment import Spread, TextAlignment
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from websockets.asyncio.client import ClientConnection

    from core.config.speech import ElevenLabsSection
    from core.errors import SpeechError

_log = logging.getLogger(__name__)

KEEP_ALIVE_S = 12.0  # the service closes a socket that was silent for 20 s
_MIN_RATE, _MAX_RATE = 0.7, 1.2
_LONGEST_MS = 3_600_000  # of one message
_NO_LIMIT_S = float("inf")


class ElevenLabsEngine:
    """Speech from ElevenLabs, one WebSocket a turn."""

    name = "elevenlabs"
    takes_tokens = True

    def __init__(self, section: ElevenLabsSection, key: str = "") -> None:
        self._section = section
        self._url = section.url.rstrip("/")
        self.address = shown_address(self._url)
        self._key = key
        self._headers = {"xi-api-key": key} if key else {}
        self._http = HttpClient(self, self._headers)
        self._ids: dict[str, str] = {}  # voice names to ids
        self._pace = TextAlignment()
        self._checked = False

    async def check(self) -> None:
        """Ask for the voices, which shows that the service is there and takes the key.

        Raises:
            SpeechError: It is not, or does not; or no voice is configured.
        """
        if not self._section.voice_id:
            raise failure(self, "needs a voice: set voice_id in [speech.elevenlabs]")
        await self.voices()
        self._checked = True

    async def open(self) -> None:
        """Nothing more than `check`, if that was not done: connections are made when they are used."""
        if not self._checked:
            await self.check()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def voices(self) -> Sequence[str]:
        """Names of the account's voices."""
        status, answer = await self._http.ask(f"{self._url.replace('ws', 'http', 1)}/v1/voices")
        listed = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
        if status in (401, 403) and "missing_permissions" not in str(listed):  # a key may speak and not list
            raise self._refused(status)
        if status == 429 or status >= 500:
            raise failure(self, refusal(status))
        found = listed.get("voices")
        items = cast("list[Any]", found) if isinstance(found, list) else []
        voices = [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]
        self._ids = {
            str(voice["name"]): str(voice["voice_id"]) for voice in voices if {"name", "voice_id"} <= voice.keys()
        }
        return sorted(self._ids)

    def native(self, voice: Voice) -> Voice:
        """Rate between 0.7 and 1.2."""
        return Voice(voice.name, min(_MAX_RATE, max(_MIN_RATE, voice.rate)), 0.0)

    async def stream(self, text: AsyncIterator[str], voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """The text as sound, a chunk a word where the service tells the times."""
        socket = await self._connect(voice)
        turn = _Turn(text, self._section.rate_hz, Spread(self._pace))
        tasks = Tasks("elevenlabs turn")
        sending = tasks.start(self._send(socket, turn, self.native(voice)))
        try:
            async with aclosing(self._receive(socket, turn)) as chunks:
                async for chunk in chunks:
                    yield chunk
            if turn.script.error is not None:
                raise turn.script.error
            if rest := turn.spread.rest():
                yield SpeechChunk(np.zeros(0, np.float32), self._section.rate_hz, rest)
            turn.spread.learn()
        finally:
            await tasks.cancel_all()
            await turn.script.close()
            socket.transport.abort()  # a cancelled turn must not wait for a goodbye
            await socket.wait_closed()
        if not sending.cancelled() and (fault := sending.exception()) is not None:
            raise fault

    async def _connect(self, voice: Voice) -> ClientConnection:
        name = voice.name or self._section.voice_id
        query = urlencode(
            {
                "model_id": self._section.model,
                "output_format": f"pcm_{self._section.rate_hz}",
                "auto_mode": "true",
            }
        )
        path = f"/v1/text-to-speech/{quote(self._ids.get(name, name), safe='')}/stream-input"
        try:
            return await connect(
                f"{self._url}{path}?{query}",
                additional_headers=self._headers,
                open_timeout=CONNECT_S,
                max_size=MOST_MESSAGE,
                max_queue=4,
                compression=None,
            )
        except InvalidStatus as error:
            raise self._refused(error.response.status_code) from error
        except (TimeoutError, OSError) as error:
            raise failure(self, "cannot be reached") from error
        except (WebSocketException, EOFError) as error:
            raise failure(self, "broke the connection") from error

    async def _send(self, socket: ClientConnection, turn: _Turn, voice: Voice) -> None:
        """Send clauses as they are ready; the service wants phrases, not single words."""
        settings = {"speed": voice.rate} if voice.rate != 1 else {}
        try:
            await socket.send(json.dumps({"text": " ", "voice_settings": settings}))
            turn.script.start()
            following = asyncio.ensure_future(turn.feed.next())
            try:
                while True:
                    done, _ = await asyncio.wait({following}, timeout=KEEP_ALIVE_S)
                    if not done:
                        await socket.send(json.dumps({"text": " "}))
                        continue
                    clause = following.result()
                    if clause is None:
                        break
                    turn.spread.add(clause)
                    await socket.send(json.dumps({"text": f"{clause.rstrip()} ", "try_trigger_generation": True}))
                    following = asyncio.ensure_future(turn.feed.next())
            finally:
                following.cancel()
            await socket.send(json.dumps({"text": ""}))
        except ConnectionClosed:
            return  # the reader tells

    async def _receive(self, socket: ClientConnection, turn: _Turn) -> AsyncGenerator[SpeechChunk, None]:
        while True:
            try:
                frame = await socket.recv()
            except ConnectionClosed as error:
                raise failure(self, lost(error)) from error
            message = self._parse(frame)
            if message.get("error") or message.get("code"):
                raise self._reported(message)
            for chunk in self._words(message, turn):
                yield chunk
            if message.get("isFinal"):
                return

    def _parse(self, frame: str | bytes) -> dict[str, Any]:
        message = read_json(frame)
        if not isinstance(message, dict):
            raise failure(self, "sent something that is no answer")
        return cast("dict[str, Any]", message)

    def _words(self, message: dict[str, Any], turn: _Turn) -> list[SpeechChunk]:
        """One message's sound, cut at the starts of its words."""
        if not message.get("audio"):
            return []
        try:
            pcm = base64.b64decode(message["audio"], validate=True)
        except (ValueError, TypeError, binascii.Error) as error:
            raise failure(self, "sent something that is no sound") from error
        samples = turn.samples(pcm)
        if no_sound(samples):
            raise failure(self, "sent something that is no sound")
        alignment = message.get("alignment")
        rate_hz = self._section.rate_hz
        words = _word_starts(cast("dict[str, Any]", alignment)) if isinstance(alignment, dict) else []
        if not words:
            return [SpeechChunk(samples, rate_hz, turn.spread.sound(len(samples) / rate_hz))]
        turn.spread.told("".join(word for _, word in words), len(samples) / rate_hz)
        cuts = [0, *(min(len(samples), round(start_s * rate_hz)) for start_s, _ in words[1:]), len(samples)]
        return [
            SpeechChunk(samples[start:end], rate_hz, word)
            for (_, word), start, end in zip(words, cuts, cuts[1:], strict=False)
        ]

    def _refused(self, status: int) -> SpeechError:
        if status in (401, 403) and not self._key:
            return failure(self, f"wants a key: set {self._section.api_key_env} in the environment or in .env")
        return failure(self, refusal(status))

    def _reported(self, message: dict[str, Any]) -> SpeechError:
        """The error for a message that brings one; its words are for the log."""
        code = str(message.get("error", ""))
        known = {
            "invalid_api_key": "refused the key",
            "quota_exceeded": "has no quota left",
            "voice_id_does_not_exist": "does not know this voice",
            "input_timeout_exceeded": "waited too long for text",
        }
        if code == "invalid_api_key" and not self._key:
            return self._refused(401)
        error = failure(self, known.get(code, "reported an error"))
        error.__cause__ = ValueError(str(message)[:500])
        return error


class _Turn:
    """One turn's text, cut into clauses, and the half sample between two messages."""

    def __init__(self, text: AsyncIterator[str], rate_hz: int, spread: Spread) -> None:
        clock = SystemClock()
        self.spread = spread
        self.script = Script(text)
        self.feed = ClauseFeed(self.script, Chunker(), queued_s=self._ahead_s, enough_s=_NO_LIMIT_S, clock=clock)
        self._rate_hz = rate_hz
        self._bytes = b""
        self._begun_at: float | None = None
        self._clock = clock

    def samples(self, pcm: bytes) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """s16le as float32; a message may end inside of a sample."""
        if self._begun_at is None:
            self._begun_at = self._clock.monotonic()
        self._bytes += pcm
        whole = len(self._bytes) - len(self._bytes) % 2
        sound, self._bytes = self._bytes[:whole], self._bytes[whole:]
        return np.frombuffer(sound, "<i2").astype(np.float32) / np.float32(32768)

    def _ahead_s(self) -> float:
        """How much more sound came than time has passed since the first of it."""
        if self._begun_at is None:
            return 0.0
        return self.spread.sounded_s - (self._clock.monotonic() - self._begun_at)


def _word_starts(alignment: dict[str, Any]) -> list[tuple[float, str]]:
    """Words with the blanks after them, and when each begins, in seconds. Empty if the alignment is damaged."""
    characters = alignment.get("chars") or alignment.get("characters")
    starts = alignment.get("charStartTimesMs")
    if not isinstance(characters, list) or not isinstance(starts, list):
        return []
    words: list[tuple[float, str]] = []
    for character, start_ms in zip(cast("list[Any]", characters), cast("list[Any]", starts), strict=False):
        if not isinstance(character, str) or not isinstance(start_ms, int | float):
            return []
        if not 0 <= start_ms <= _LONGEST_MS or (words and start_ms < 1000 * words[-1][0]):  # also what is no number
            return []
        if words and not (words[-1][1][-1:].isspace() and not character.isspace()):
            words[-1] = (words[-1][0], words[-1][1] + character)
        else:
            words.append((start_ms / 1000, character))
    return words
