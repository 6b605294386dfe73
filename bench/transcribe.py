"""How recordings become text: speed, memory, errors of words and of their times, and nothing from what is no speech.

Speech is espeak-ng's, so that every word and its place are known; the recogniser is the one that comes with Parley, in this
process, as a worker runs it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from bench._no_speech import NO_SPEECH
from bench.render import peak_mb
from core.audio.opus import Decoder, Encoder
from core.hearing.engines.whisper_worker import JOIN_S, HearingOptions, ModelSpec, hear, open_model
from core.hearing.models import embedded, verify
from core.hearing.stretches import Stretch, stretches
from core.hearing.transcriber import NO_BIAS
from loopback.people.espeak import synthesise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from core.hearing.text import Word

RATE_HZ = 16_000
SENTENCES = (
    "Good morning everybody and welcome to the meeting.",
    "We have seven apples and three oranges on the table.",
    "The weather is very nice today, so we can walk in the park.",
    "Nobody knows the answer to this question.",
    "Please send me the report before the end of the week.",
    "My brother lives in a small house near the river.",
)
SPEED_GOAL, ERROR_GOAL, TIME_GOAL_S, GROWTH_GOAL_MB = 4.0, 0.15, 0.1, 40.0


async def _spoken() -> list[NDArray[np.float32]]:
    found: list[NDArray[np.float32]] = []
    for text in SENTENCES:
        pcm = np.frombuffer(await synthesise(text, voice="en-us", rate_wpm=150), np.int16).reshape(-1, 2)[:, 0]
        found.append(np.multiply(pcm, 1 / 32768, dtype=np.float32))
    return found


def lossy(sound: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Through Opus, with some of the packets lost and concealed; 48 kHz."""
    rng, encoder, decoder = np.random.default_rng(7), Encoder(), Decoder()
    padded = np.pad(sound, (0, -len(sound) % 960))
    parts: list[NDArray[Any]] = []
    for frame in padded.reshape(-1, 960):
        payload = encoder.encode_float(np.ascontiguousarray(frame[:, None].repeat(2, 1)))
        buffer = np.zeros((960, 2), np.int16)
        if rng.random() < share:
            decoder.conceal_into(buffer)
        else:
            decoder.decode_into(payload, buffer)
        parts.append(buffer[:, 0].astype(np.float32) * np.float32(1 / 32768))
    return np.concatenate(parts)


def at_16k(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """48 kHz at 16 kHz; speech of espeak has little above 8."""
    return sound[: len(sound) // 3 * 3].reshape(-1, 3).mean(axis=1)


def _track(spoken: list[NDArray[np.float32]], seconds: float, pause_s: float) -> Iterator[NDArray[np.float32]]:
    """Sentences with pauses between them, as blocks, for so long."""
    made, number = 0.0, 0
    while made < seconds:
        block = np.concatenate([spoken[number % len(spoken)], np.zeros(int(pause_s * RATE_HZ), np.float32)])
        yield block
        made += len(block) / RATE_HZ
        number += 1


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z']+|\d+", text.lower().replace("7", "seven").replace("3", "three"))


def _distance(wanted: list[str], got: list[str]) -> int:
    """Words that were put in, left out or changed."""
    row = list(range(len(got) + 1))
    for i, a in enumerate(wanted, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(got, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def _hear(spec: ModelSpec, stretch: Stretch) -> tuple[str, tuple[Word, ...]]:
    heard = hear(spec, stretch.samples, HearingOptions("en", NO_BIAS, words=True, beam=5)).moved(stretch.start_s)
    return heard.text, heard.words


def errors(spec: ModelSpec, spoken: list[NDArray[np.float32]], loss: float) -> bool:
    """Word errors, and how far the first and last word of each sentence are from where they are."""
    wrong = count = 0
    late_s: list[float] = []
    for text, sound in zip(SENTENCES, spoken, strict=True):
        clean = at_16k(lossy(sound, loss) if loss else sound)
        loud = np.flatnonzero(np.abs(at_16k(sound)) > 0.02)
        for stretch in stretches([np.pad(clean, (4 * RATE_HZ, 2 * RATE_HZ))], join_s=JOIN_S):
            got, words = _hear(spec, stretch)
            wrong += _distance(_words(text), _words(got))
            count += len(_words(text))
            if words:
                late_s += [abs(words[0].start_s - 4 - loud[0] / RATE_HZ), abs(words[-1].end_s - 4 - loud[-1] / RATE_HZ)]
    rate, worst_s = wrong / max(1, count), float(np.percentile(late_s, 95)) if late_s else 99.0
    met = rate <= ERROR_GOAL and worst_s <= TIME_GOAL_S
    _tell(f"word errors, {loss:.0%} loss", met, f"<= {ERROR_GOAL:g}, times p95 <= {TIME_GOAL_S:g} s",
          word_error_rate=round(rate, 3), time_error_p50_s=round(float(np.median(late_s or [99.0])), 3),
          time_error_p95_s=round(worst_s, 3), words=count)  # fmt: skip
    return met


def speed(spec: ModelSpec, spoken: list[NDArray[np.float32]], minutes: float) -> bool:
    """Times real time on one core, of a track of sentences with pauses of four seconds."""
    begin, cpu = time.perf_counter(), time.process_time()
    for stretch in stretches(_track([at_16k(each) for each in spoken], minutes * 60, 4.0), join_s=JOIN_S):
        _hear(spec, stretch)
    cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - begin
    met = minutes * 60 / cpu_s >= SPEED_GOAL
    _tell("speed", met, f">= {SPEED_GOAL:g}x", x_realtime_a_core=round(minutes * 60 / cpu_s, 1),
          x_realtime_wall=round(minutes * 60 / wall_s, 1), minutes=minutes)  # fmt: skip
    return met


def memory(spec: ModelSpec, spoken: list[NDArray[np.float32]], hours: tuple[float, ...]) -> bool:
    """The peak of each length; every twentieth stretch is decoded, all of them are found."""
    small = [at_16k(each) for each in spoken]
    peaks: list[float] = []
    for length in hours:
        for number, stretch in enumerate(stretches(_track(small, length * 3600, 4.0), join_s=JOIN_S)):
            if number % 20 == 0:
                _hear(spec, stretch)
        peaks.append(peak_mb())
    growth_mb = peaks[-1] - peaks[0]
    met = growth_mb < GROWTH_GOAL_MB
    _tell("memory", met, f"growth < {GROWTH_GOAL_MB:g} MB", hours=hours, peak_mb=[round(peak) for peak in peaks],
          growth_mb=round(growth_mb, 1))  # fmt: skip
    return met


def made_up(spec: ModelSpec, minutes: float) -> bool:
    """Words from so much of each sound that is no speech."""
    met = True
    for name, sound in NO_SPEECH.items():
        begin, words = time.process_time(), 0
        blocks = (sound(30.0, seed) for seed in range(round(minutes * 2)))
        for stretch in stretches(blocks, join_s=JOIN_S):
            words += len(_hear(spec, stretch)[0].split())
        _tell(
            f"{name}, {minutes:g} min", not words, "0 words", words=words, cpu_s=round(time.process_time() - begin, 1)
        )
        met = met and not words
    return met


def _tell(what: str, met: bool, goal: str, **values: Any) -> None:
    print(json.dumps({"bench": "transcribe", "what": what, **values, "goal": goal, "met": met}), flush=True)


def main(argv: list[str]) -> int:
    """Run it and print JSON lines."""
    parser = argparse.ArgumentParser(prog="bench transcribe", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="minutes in place of hours")
    quick = parser.parse_args(argv).quick
    found = embedded()
    verify(found)
    spec = ModelSpec(found.name, str(found.folder))
    open_model(spec)
    spoken = asyncio.run(_spoken())
    met = [errors(spec, spoken, loss) for loss in (0.0, 0.05)]
    met.append(speed(spec, spoken, 1.0 if quick else 10.0))
    met.append(memory(spec, spoken, (1 / 60, 6 / 60) if quick else (1.0, 6.0)))
    met.append(made_up(spec, 1.0 if quick else 15.0))
    return 0 if all(met) else 1
