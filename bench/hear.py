"""How soon a spoken question is answered: over the loopback, the bot in a process of its own, at people's ears.

Times are from the last voiced packet of the asker as another listener hears it: to the moment at which the turn is taken for
over, to its text, to the model's first text, to the first voiced packet of the answer. `own_ms` is what is left of the whole
without the configured silence or the recogniser, whichever took longer (decoding begins at 200 ms of silence), and
without the model's 50 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

from core.config.hearing import HearingSection
from core.hearing.utterance_finder import LOOK_S
from launch.story import stage

if TYPE_CHECKING:
    from launch.story import Stage
    from loopback.people.person import Person

GOAL_P95_MS, OWN_GOAL_MS = 900.0, 80.0
MODEL_S = 0.05
QUESTIONS = (
    "What is the capital of France?",
    "Please tell me about the weather tomorrow.",
    "How many people live in this city?",
    "Can you give me the name of a good book?",
    "Where did you learn to speak like that?",
)
_TURN = re.compile(r"ended ([\d.]+), understood ([\d.]+), decided ([\d.]+), the recogniser took ([\d.]+) s")


@dataclass(frozen=True, slots=True)
class Measured:
    """One turn, in seconds from the last voiced packet."""

    decided_s: float
    understood_s: float
    model_s: float
    voice_s: float
    recogniser_s: float
    end_of_turn_s: float

    @property
    def own_s(self) -> float:
        """What is ours of it."""
        return self.voice_s - MODEL_S - max(self.end_of_turn_s, LOOK_S + self.recogniser_s)


def main(argv: list[str]) -> int:
    """Run the turns and print two lines."""
    parser = argparse.ArgumentParser(prog="python -m bench hear", description=__doc__)
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--quick", action="store_true", help="five turns")
    parser.add_argument("--engine", default="embedded")
    parser.add_argument("--model", default="tiny.en")
    options = parser.parse_args(argv)
    return asyncio.run(_run(5 if options.quick else options.turns, options.engine, options.model))


async def _run(turns: int, engine: str, model: str) -> int:
    hearing = {"engine": engine, "model": model, "answer": "always"}
    measured: list[Measured] = []
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        async with (
            stage(Path(folder), {"hearing": hearing}) as scene,
            await scene.discord.person("Ada", scene.standard.guild) as ada,
            await scene.discord.person("Bob", scene.standard.guild) as bob,
        ):
            await join(scene, ada, bob)
            for number in range(turns):
                found = await _turn(scene, ada, bob, QUESTIONS[number % len(QUESTIONS)])
                missed += found is None
                measured += [found] if found is not None else []
    return _tell(measured, missed, f"{engine} {model}")


async def join(scene: Stage, ada: Person, bob: Person) -> None:
    """Bring the bot and two people together, and wait until it listens."""
    for person in (ada, bob):
        await person.join(scene.standard.voice)
    await (await ada.slash(scene.standard.text, "voice join")).answered(30)
    await asyncio.gather(ada.until_encrypted(), bob.until_encrypted())
    async with asyncio.timeout(120):
        while not any("I listen here" in told.content for told in scene.standard.text.messages.values()):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.1)


async def _turn(scene: Stage, ada: Person, bob: Person, question: str) -> Measured | None:
    scene.chat.script(deltas=("", "Of course, ", "gladly."), pace_s=MODEL_S)  # pieces come that far apart
    asked, log = len(scene.chat.requests), scene.folder / "bot.log"
    before = len(_TURN.findall(log.read_text(encoding="utf-8", errors="replace")))
    bob.ears.forget()
    listening = asyncio.create_task(ada.ears.wait_for_voice(scene.bot_id, 20))
    await asyncio.sleep(0)
    await ada.say(question, voice="en-us")
    try:
        first = await listening
    except TimeoutError:
        return None
    ended_s = [frame.arrival_s for frame in bob.ears.heard(ada.user.id) if frame.voiced][-1]
    await asyncio.sleep(2.5)
    found = _TURN.findall(log.read_text(encoding="utf-8", errors="replace"))
    if len(found) <= before or len(scene.chat.requests) <= asked:
        return None
    _, understood_s, decided_s, recogniser_s = map(float, found[-1])
    model_s = (scene.chat.requests[asked].first_sent_s or decided_s) + MODEL_S
    silence_s = HearingSection().end_of_turn_s
    at = (decided_s - ended_s, understood_s - ended_s, model_s - ended_s, first.arrival_s - ended_s)
    return Measured(*at, recogniser_s, silence_s)


def _tell(measured: list[Measured], missed: int, what: str) -> int:
    if len(measured) < 2:
        print(json.dumps({"bench": "hear", "what": what, "missed": missed, "met": False}), flush=True)
        return 1
    stages = {
        "decided_ms": [one.decided_s for one in measured],
        "understood_ms": [one.understood_s for one in measured],
        "model_text_ms": [one.model_s for one in measured],
        "voice_ms": [one.voice_s for one in measured],
        "recogniser_ms": [one.recogniser_s for one in measured],
        "own_ms": [one.own_s for one in measured],
    }
    found = {name: percentiles([value * 1000 for value in values]) for name, values in stages.items()}
    whole, own = found["voice_ms"]["p95"] <= GOAL_P95_MS, found["own_ms"]["p95"] <= OWN_GOAL_MS
    line = {"bench": "hear", "what": what, "turns": len(measured), "missed": missed, **found}
    print(json.dumps({**line, "goal": f"voice_ms p95 <= {GOAL_P95_MS:.0f}", "met": whole}), flush=True)
    ours = {"bench": "hear", "what": "our own", "own_ms": found["own_ms"]}
    print(json.dumps({**ours, "goal": f"own_ms p95 <= {OWN_GOAL_MS:.0f}", "met": own}), flush=True)
    return 0 if whole and own and not missed else 1


def percentiles(values: list[float]) -> dict[str, float]:
    """The middle, the 95th of a hundred, and the worst."""
    cuts = quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1), "max": round(max(values), 1)}
