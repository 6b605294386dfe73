"""How soon the bot falls silent when somebody speaks into its voice, and that coughs and assent cost no word; at people's ears.

`silent_ms`: from the first voiced packet of the interruption to the last voiced one of the bot, both as a third person hears
them; 250 ms of it are the least speech that counts. A false interruption is met if the bot falls silent or not, goes on,
and is heard as long as without one: no word is lost or said twice.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.hear import percentiles
from launch.demo import until_quiet
from launch.story import stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch.story import Stage
    from loopback.people.ears import HeardFrame
    from loopback.people.person import Person

GOAL_P95_MS = 450.0
STORY = " ".join(f"This is sentence number {number} of a story about a king." for number in range(1, 6))
WORDS = ("Please stop, I have a question.", "No wait, I meant the other one.", "Excuse me, what did you say?")
ASSENT = ("Yeah.", "Okay.", "Right.", "Mmhm hmm.")  # what espeak says as a word; it spells “mhm” alone
SPEAKS_S = 2.0  # the bot, before it is interrupted
PAUSE_S = 0.8  # without a voiced packet: longer than between two sentences
SAME_FRAMES = 6  # of 20 ms: the fades of a pause, and what the codec makes of silence


def main(argv: list[str]) -> int:
    """Interrupt the bot and print two lines."""
    parser = argparse.ArgumentParser(prog="python -m bench barge_in", description=__doc__)
    parser.add_argument("--interruptions", type=int, default=20)
    parser.add_argument("--false", type=int, default=20, dest="false")
    parser.add_argument("--quick", action="store_true", help="three of each")
    options = parser.parse_args(argv)
    counts = (3, 3) if options.quick else (options.interruptions, options.false)
    return asyncio.run(_run(*counts))


async def _run(interruptions: int, false: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            stage(Path(folder), {"hearing": {"engine": "embedded", "answer": "never"}}) as scene,
            await scene.discord.person("Ada", scene.standard.guild) as ada,
            await scene.discord.person("Bob", scene.standard.guild) as bob,
        ):
            await _enter(scene, ada, bob)
            whole = await _tell_story(scene, ada, bob, None)
            silent_ms: list[float] = []
            unheeded = 0
            for number in range(interruptions):
                found = await _interrupt(scene, ada, bob, WORDS[number % len(WORDS)])
                unheeded += found is None
                silent_ms += [] if found is None else [found]
            kept = [await _tell_story(scene, ada, bob, number) for number in range(false)]
    return _tell(silent_ms, unheeded, [abs(frames - whole) for frames in kept])


async def _enter(scene: Stage, ada: Person, bob: Person) -> None:
    """With `answer = "never"` nobody's words become prompts, and the session hears when it is asked to."""
    for person in (ada, bob):
        await person.join(scene.standard.voice)
    await (await ada.slash(scene.standard.text, "voice join")).answered(30)
    await (await ada.slash(scene.standard.text, "voice listen", on=True)).answered(120)
    await asyncio.gather(ada.until_encrypted(), bob.until_encrypted())


async def _begin(scene: Stage, ada: Person, bob: Person) -> None:
    scene.chat.script(text=STORY, pace_s=0.001)
    bob.ears.forget()
    listening = asyncio.create_task(bob.ears.wait_for_voice(scene.bot_id, 30))
    await asyncio.sleep(0)
    await ada.type(scene.standard.text, "Tell me a story.")
    await listening
    await asyncio.sleep(SPEAKS_S)


async def _interrupt(scene: Stage, ada: Person, bob: Person, words: str) -> float | None:
    """Speak into the story; gives how long it went on, in ms, or None if it did not stop."""
    await _begin(scene, ada, bob)
    await ada.say(words, voice="en-us")
    await until_quiet(bob.ears, scene.bot_id, 4.0)
    onset_s = next(frame.arrival_s for frame in bob.ears.heard(ada.user.id) if frame.voiced)
    voiced = [frame.arrival_s for frame in bob.ears.heard(scene.bot_id) if frame.voiced]
    after = [at_s for at_s in voiced if at_s >= onset_s]
    pause = next((a for a, b in itertools.pairwise([*after, float("inf")]) if b - a > PAUSE_S), onset_s)
    whole_s = len(STORY) / 15  # a rough guess: what was cut is much shorter
    return None if len(voiced) * 0.02 > 0.8 * whole_s else (pause - onset_s) * 1000


async def _tell_story(scene: Stage, ada: Person, bob: Person, number: int | None) -> int:
    """Have the whole story told, and make a sound that means nothing; gives how many voiced frames were heard."""
    await _begin(scene, ada, bob)
    if number is not None:
        await _no_words(ada, number)
    await until_quiet(bob.ears, scene.bot_id, 4.0)
    return _voiced(bob.ears.heard(scene.bot_id))


async def _no_words(ada: Person, number: int) -> None:
    kind = number % 3
    if kind == 0:
        await ada.say(ASSENT[number // 3 % len(ASSENT)], voice="en-us")
    elif kind == 1:
        burst = np.random.default_rng(number).normal(0, 6000, 48_000 * 2 // 5) * np.hanning(48_000 * 2 // 5)
        await ada.play(np.repeat(burst.astype(np.int16)[:, None], 2, axis=1))
    else:
        t = np.arange(48_000) / 48_000
        chord = np.sin(2 * np.pi * np.outer((220, 277, 330), t)).sum(axis=0) * 3000
        await ada.play(np.repeat(chord.astype(np.int16)[:, None], 2, axis=1))


def _voiced(frames: Sequence[HeardFrame]) -> int:
    return sum(frame.voiced for frame in frames)


def _tell(silent_ms: list[float], unheeded: int, differences: list[int]) -> int:
    soon = percentiles(silent_ms) if len(silent_ms) > 1 else None
    met = soon is not None and soon["p95"] <= GOAL_P95_MS and not unheeded
    line = {"bench": "barge_in", "what": "words", "silent_ms": soon, "unheeded": unheeded}
    print(json.dumps({**line, "goal": f"silent_ms p95 <= {GOAL_P95_MS:.0f}, all heeded", "met": met}), flush=True)
    kept = all(difference <= SAME_FRAMES for difference in differences)
    line = {"bench": "barge_in", "what": "coughs, assent, music", "frames_more_or_less": differences}
    print(json.dumps({**line, "goal": f"each <= {SAME_FRAMES}", "met": kept}), flush=True)
    return 0 if met and kept else 1
