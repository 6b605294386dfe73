"""The engine for OpenAI-style servers: `POST /v1/audio/transcriptions` with a WAV, answered by JSON.

speaches, whisper.cpp, Groq, OpenAI and others. `verbose_json` with times of words is asked for, and plain `json` of servers
and models that refuse it. A list of names goes along as `prompt`.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import math
import wave
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import aiohttp

from core.hearing.engines.screened import ScreenedTranscriber, pcm16
from core.hearing.hints import prompt
from core.hearing.languages import code_of
from core.hearing.text import Segment, Transcription, Word
from core.hearing.transcriber import failure
from core.hearing.vad import RATE_HZ
from core.redaction import address
from core.remote.refusals import RefusalError, broken, refusal, what_was_said

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.config.hearing import HearingSection
    from core.errors import HearingError
    from core.hearing.stretches import Stretch
    from core.hearing.transcriber import Bias, Purpose

_log = logging.getLogger(__name__)

CONNECT_S, ASK_S = 5.0, 8.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 5.0
MOST_ANSWER = 2 * 2**20
_BUSY = (408, 409, 429, 500, 502, 503, 504)
_OWN_WORDS = {413: "found the sound too long"}


class OpenAITranscriber(ScreenedTranscriber):
    """Speech to text over HTTP, over kept-open connections."""

    name = "openai"

    def __init__(self, section: HearingSection, key: str = "") -> None:
        super().__init__(section)
        self._base = section.openai.base_url.rstrip("/")
        self.address = address(self._base)
        self.model = section.openai.model
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._session: aiohttp.ClientSession | None = None
        self._verbose = True  # until it is refused

    async def open(self) -> None:
        """Ask for the list of models, which shows that the server is there and takes the key.

        Raises:
            HearingError: It is not, or does not. A server that has no such list is taken at its word.
        """
        timeout = aiohttp.ClientTimeout(total=ASK_S, sock_connect=CONNECT_S)
        try:
            async with self._client().get(f"{self._base}/models", timeout=timeout) as response:
                if response.status in (401, 402, 403, 429) or response.status >= 500:
                    raise await self._refused(response)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._broken(error) from error

    async def close(self) -> None:
        """Close the connections."""
        await super().close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ask(self, stretch: Stretch, language: str, bias: Bias, words: bool, purpose: Purpose) -> Transcription:
        model = (self._section.transcripts.model if purpose == "recording" else "") or self.model
        fields = {"model": model, "temperature": "0"}
        if language:
            fields["language"] = language
        if names := prompt(bias):
            fields["prompt"] = names
        sound = await asyncio.to_thread(_wav, stretch.samples)
        answer = await self._post(sound, fields, words=words)
        return self._read(answer, stretch, model)

    async def _post(self, sound: bytes, fields: dict[str, str], *, words: bool) -> Any:
        tries = self._section.openai.retries
        wait_s = FIRST_WAIT_S
        while True:
            verbose = self._verbose
            try:
                async with self._client().post(
                    f"{self._base}/audio/transcriptions", data=_form(sound, fields, verbose=verbose, words=words)
                ) as response:
                    if response.status == 200:
                        return await self._json(response)
                    if response.status in (400, 422) and verbose:
                        self._verbose = False
                        _log.info("%s refused detailed answers; asking for plain ones", self.address)
                        continue
                    told = await self._refused(response)
                    if response.status not in _BUSY or not tries:
                        self._verbose = self._verbose or response.status in (400, 422)  # that was not the reason
                        raise told
                    wait_s = max(wait_s, _retry_after(response))
            except (aiohttp.ClientError, OSError) as error:
                told = self._broken(error)
                if not tries or isinstance(error, aiohttp.ClientConnectorError):
                    raise told from error
            tries -= 1
            _log.info("%s; asking again in %.2f s", told.sentence, wait_s)
            await asyncio.sleep(min(wait_s, LONGEST_WAIT_S))
            wait_s *= 2

    async def _json(self, response: aiohttp.ClientResponse) -> Any:
        body = bytearray()
        async for data in response.content.iter_any():
            body += data
            if len(body) > MOST_ANSWER:
                raise failure(self, f"answered with more than {MOST_ANSWER // 2**20} MiB")
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise failure(self, "answered with something that is no JSON") from error

    def _read(self, answer: Any, stretch: Stretch, model: str) -> Transcription:
        """The answer as a transcription; fields that are missing or of another kind are left out."""
        if not isinstance(answer, dict):
            raise failure(self, "answered without a text")
        table = cast("dict[str, Any]", answer)
        if isinstance(table.get("error"), dict | str):
            raise failure(self, "reported an error") from RefusalError(str(table["error"]))
        if not isinstance(table.get("text"), str):
            raise failure(self, "answered without a text")
        length_s = len(stretch.samples) / RATE_HZ
        whole = (stretch.spans[0][0], stretch.spans[-1][1])
        words = _read_words(table.get("words"), length_s)
        told = [_read_segment(each, whole, length_s) for each in _dicts(table.get("segments"))]
        segments = _with_words([each for each in told if each.text], words)
        if not segments and table["text"].strip():
            segments = [Segment(table["text"].strip(), *whole, tuple(words))]
        return Transcription(tuple(segments), code_of(table.get("language")), self.name, model)

    async def _refused(self, response: aiohttp.ClientResponse) -> HearingError:
        """The error for an answer of another status than 200; what the server said is its cause."""
        error = failure(self, refusal(response.status, _OWN_WORDS))
        error.__cause__ = await what_was_said(response)
        return error

    def _broken(self, error: Exception) -> HearingError:
        return failure(self, broken(error))

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        return self._session


def _form(sound: bytes, fields: dict[str, str], *, verbose: bool, words: bool) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("file", sound, filename="speech.wav", content_type="audio/wav")
    for name, value in fields.items():
        form.add_field(name, value)
    form.add_field("response_format", "verbose_json" if verbose else "json")
    if verbose and words:
        form.add_field("timestamp_granularities[]", "word")
        form.add_field("timestamp_granularities[]", "segment")
    return form


def _wav(samples: NDArray[np.float32]) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(pcm16(samples))
    return made.getvalue()


def _retry_after(response: aiohttp.ClientResponse) -> float:
    """How long the server asks to wait, in seconds."""
    try:
        wait_s = float(response.headers.get("Retry-After", "0"))
    except ValueError:
        return 0.0
    return wait_s if math.isfinite(wait_s) else 0.0


def _read_segment(table: dict[str, Any], whole: tuple[float, float], length_s: float) -> Segment:
    start_s, end_s = _time(table.get("start"), length_s), _time(table.get("end"), length_s)
    text = table.get("text")
    if start_s is None or end_s is None or end_s < start_s:
        start_s, end_s = whole
    return Segment(
        text.strip() if isinstance(text, str) else "",
        start_s,
        end_s,
        tuple(_read_words(table.get("words"), length_s)),
        _number(table.get("no_speech_prob")),
        _number(table.get("avg_logprob")),
        _number(table.get("compression_ratio")),
    )


def _read_words(value: Any, length_s: float) -> list[Word]:
    words: list[Word] = []
    for table in _dicts(value):
        text, start_s, end_s = table.get("word"), _time(table.get("start"), length_s), _time(table.get("end"), length_s)
        if isinstance(text, str) and text.strip() and start_s is not None and end_s is not None and end_s >= start_s:
            sure = _number(table.get("probability"))
            words.append(Word(text.strip(), start_s, end_s, 1.0 if sure is None else min(1.0, max(0.0, sure))))
    return words


def _with_words(segments: list[Segment], words: list[Word]) -> list[Segment]:
    """Segments with the words that lie in them, where a server lists those apart."""
    if not words or any(segment.words for segment in segments):
        return segments
    given: list[Segment] = []
    left = list(words)
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1
        mine = left if last else [word for word in left if word.start_s < segment.end_s]
        left = left[len(mine) :]
        given.append(replace(segment, words=tuple(mine)))
    return given


def _time(value: Any, length_s: float) -> float | None:
    number = _number(value)
    return None if number is None or not -0.5 <= number <= length_s + 1 else min(max(number, 0.0), length_s)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _dicts(value: Any) -> list[dict[str, Any]]:
    """The objects in a list of JSON; none if it is no list."""
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]
