"""Several people are heard at once while the bot speaks: its pace, its event loop, packets, and how far captions are behind.

Everybody says a sentence at the same time, again and again, with captions on, while the bot reads a long text; the bot is a
process of its own. `behind_s` is from somebody's last voiced packet, as another hears it, to the caption that is final.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from launch.lag import VARIABLE
from launch.story import stage
from loopback.people.espeak import synthesise
from loopback.world.guilds import ChannelKind

if TYPE_CHECKING:
    from launch.story import Stage
    from loopback.people.person import Person

GAP_MS, LAG_MS, BEHIND_S = 25.0, 20.0, 2.0
SENTENCES = (
    "We have seven apples and three oranges on the table.",
    "Please send me the report before the end of the week.",
    "My brother lives in a small house near the river.",
    "Good morning everybody and welcome to the meeting.",
)
VOICES = ("en-us", "en-us+m3", "en-us+f3", "en-us+m7")
STORY = " ".join(f"This is sentence number {number} of a long story about a king." for number in range(1, 40))
PAUSE_S, PATIENCE_S = 3.0, 30.0


def main(argv: list[str]) -> int:
    """Have them speak, and print lines."""
    parser = argparse.ArgumentParser(prog="python -m bench hear_many", description=__doc__)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args(argv)
    return asyncio.run(_run(options.people, options.rounds))


async def _run(count: int, rounds: int) -> int:
    os.environ[VARIABLE] = "1"
    hearing = {"engine": "embedded", "answer": "never"}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        scene = await stack.enter_async_context(stage(folder, {"hearing": hearing}))
        people = [
            await stack.enter_async_context(await scene.discord.person(f"P{number}", scene.standard.guild))
            for number in range(count)
        ]
        sounds = [await synthesise(SENTENCES[n % 4], voice=VOICES[n // 2 % 4]) for n in range(count)]
        for person in people:
            await person.join(scene.standard.voice)
        await (await people[0].slash(scene.standard.text, "voice join")).answered(60)
        await (await people[0].slash(scene.standard.text, "voice captions", on=True)).answered(120)
        await asyncio.gather(*(person.until_encrypted() for person in people))
        scene.chat.always(text=STORY)
        await people[0].type(scene.standard.text, "Tell me a story.")
        begun_s = time.monotonic()
        behind = [late for _ in range(rounds) for late in await _round(scene, people, sounds)]
        frames = [frame for frame in people[1].ears.heard(scene.bot_id) if not frame.silence]
        gaps = [(b.arrival_s - a.arrival_s) * 1000 for a, b in itertools.pairwise(frames)]
        status = await (await people[0].slash(scene.standard.text, "voice status")).answered(30)
        heard = next(field["value"] for field in status.embeds[0]["fields"] if field["name"] == "Heard")
        lags = _lags(folder / "bot.log", begun_s)
    lost = int(heard.split(" frames, ")[1].split(" lost")[0])
    within = [gap for gap in gaps if gap < 500]  # a longer one lies between two sentences
    return _tell(count, behind, rounds * count, within, lags, lost)


async def _round(scene: Stage, people: list[Person], sounds: list[bytes]) -> list[float]:
    """Everybody speaks at once; gives how far the caption of each was behind, of those that came."""
    final_s: dict[str, float] = {}
    before = _final_lines(scene)
    await asyncio.gather(*(person.play(sound) for person, sound in zip(people, sounds, strict=True)))
    ended_s = {
        person.user.name: [f.arrival_s for f in people[n - 1].ears.heard(person.user.id) if f.voiced][-1]
        for n, person in enumerate(people)
    }
    until_s = time.monotonic() + PATIENCE_S
    while len(final_s) < len(people) and time.monotonic() < until_s:
        for name, count in _final_lines(scene).items():
            if count > before.get(name, 0):
                final_s.setdefault(name, time.monotonic())
        await asyncio.sleep(0.02)
    await asyncio.sleep(PAUSE_S)
    return [at_s - ended_s[name] for name, at_s in final_s.items()]


def _final_lines(scene: Stage) -> dict[str, int]:
    """How many captions of each person are final."""
    found: dict[str, int] = {}
    for channel in list(scene.standard.guild.channels.values()):
        if channel.kind is not ChannelKind.THREAD:
            continue
        for line in "\n".join(message.content for message in list(channel.messages.values())).splitlines():
            if line.startswith("**") and not line.endswith("…"):
                name = line[2:].split(":**")[0]
                found[name] = found.get(name, 0) + 1
    return found


def _lags(log: Path, since_s: float) -> list[float]:
    lags: list[float] = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith('{"loop_lag_ms"'):
            report = json.loads(line)
            lags += report["loop_lag_ms"] if report["until_s"] > since_s else []
    return lags


def _tell(people: int, behind: list[float], said: int, gaps: list[float], lags: list[float], lost: int) -> int:
    load = round(os.getloadavg()[0], 1)
    gap_ms, lag_ms = float(np.percentile(gaps, 99)), float(np.percentile(lags, 99))
    late_s = float(np.max(behind)) if behind else 99.0
    lines = (
        ("playback", {"gap_p99_ms": round(gap_ms, 1)}, f"p99 <= {GAP_MS:g} ms", gap_ms <= GAP_MS),
        ("event loop", {"lag_p99_ms": round(lag_ms, 1)}, f"p99 <= {LAG_MS:g} ms", lag_ms <= LAG_MS),
        ("frames", {"lost": lost}, "none lost", lost == 0),
        (
            "captions",
            {"p50_s": round(float(np.median(behind or [99.0])), 2), "max_s": round(late_s, 2), "missing": said - len(behind)},
            f"<= {BEHIND_S:g} s behind",
            late_s <= BEHIND_S and len(behind) == said,
        ),
    )  # fmt: skip
    for what, found, goal, met in lines:
        line = {"bench": "hear_many", "what": what, "people": people, "load": load, **found}
        print(json.dumps({**line, "goal": goal, "met": met}), flush=True)
    return 0 if all(met for *_, met in lines) else 1
