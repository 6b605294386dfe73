"""A token WebSocket speech server: takes text as a model writes it, gives sound back on the same socket.

Wire format: JSON text frames `{"token": "Hel", "pitch_shift": 0}` and `{"flush": true}` in, binary frames of float32
little-endian mono samples at 48 kHz out. Nothing marks the end of an utterance.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from aiohttp import web

from loopback.services.http_service import HttpService
from loopback.services.speech import SpeechBehaviour, Spoken, in_turn, now_spoken, pieces, speak

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loopback.services.service import Answer, Behaviour

UTTERANCE = "utterance"
WORDS = re.compile(r"(?:\s*\S+\s)+")  # words that are complete because a blank follows


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechTokensBehaviour(SpeechBehaviour):
    """How one utterance (all tokens up to a flush) is spoken; a piece is one binary frame."""

    chunk_bytes: int = 3840  # 20 ms
    factor: float = 1.0  # on every sample; "nan" and "inf" are floats, too
    frame: bytes | str | None = None  # this in place of each word's sound


class SpeechTokens(HttpService[SpeechTokensBehaviour]):
    """The token server, on every path. It speaks each word as soon as it is complete.

    `script` speaks of utterances; the handshake itself is `script(on="/", status=503)`.
    """

    behaviour: ClassVar[type[Behaviour]] = SpeechTokensBehaviour
    main: ClassVar[tuple[str, ...]] = (UTTERANCE,)
    scheme: ClassVar[str] = "ws"
    rate_hz: int = 48000

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host=host, port=port)
        self.spoken: list[Spoken] = []

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """A WebSocket wherever it is asked for."""
        return [web.get("/{path:.*}", self._serve)]

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async with in_turn() as queue:
            utterance: _Utterance | None = None
            async for message in self.heard(request, socket):
                if not isinstance(message, dict) or not {"token", "flush"} & message.keys():
                    await socket.send_json({"error": "expected a token or a flush"})
                    continue
                if utterance is None:
                    behaviour = self.take(UTTERANCE)
                    utterance = _Utterance(self, behaviour, self.answer_with(request, socket, behaviour))
                flush = bool(message.get("flush"))
                ready = utterance.take(message, flush=flush)
                if ready.text.strip():
                    queue(partial(utterance.say, ready))
                if flush:
                    queue(utterance.finish)
                    utterance = None
        return socket


class _Utterance:
    """The tokens up to a flush, on their way to sound."""

    def __init__(self, service: SpeechTokens, behaviour: SpeechTokensBehaviour, answer: Answer) -> None:
        self._service = service
        self._behaviour = behaviour
        self._answer = answer
        self._text = ""
        self._semitones = 0.0

    def take(self, message: dict[str, Any], *, flush: bool) -> Spoken:
        """Takes one message; returns the words that are complete with it."""
        self._semitones = float(message.get("pitch_shift", self._semitones))
        self._text += str(message.get("token", ""))
        whole = WORDS.match(self._text)
        ready = self._text if flush else whole[0] if whole else ""
        self._text = self._text[len(ready) :]
        return now_spoken(ready, semitones=self._semitones)

    async def say(self, spoken: Spoken) -> None:
        with np.errstate(invalid="ignore"):
            samples = speak(self._service, spoken, self._behaviour) * self._behaviour.factor
        sound = samples.astype("<f4").tobytes()
        if self._behaviour.frame is not None:
            await self._answer.send(self._behaviour.frame)
            return
        for piece in pieces(sound, self._behaviour.chunk_bytes):
            await self._answer.send(piece)

    async def finish(self) -> None:
        await self._answer.finish()
