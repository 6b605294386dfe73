"""How soon the bot is heard: prompts over the loopback, the bot in a process of its own, measured at a listener's ear.

`first_audio_ms`: prompt written to first voiced packet. `first_audio_after_text_ms`: first speakable text sent by the model's
server to that packet. The model's first piece is a clause that can be spoken, so no waiting for text is in the figure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

from launch.demo import until_quiet
from launch.story import stage

if TYPE_CHECKING:
    from launch.story import Stage
    from loopback.people.person import Person

GOAL_P95_MS = 60.0
REPLIES = (
    ("Of course, ", "gladly."),
    ("Good question. ", "Let me think."),
    ("I think so, ", "yes."),
    ("Not today. ", "Sorry."),
)


def main(argv: list[str]) -> int:
    """Run the turns and print one line."""
    parser = argparse.ArgumentParser(prog="python -m bench speak", description=__doc__)
    parser.add_argument("--turns", type=int, default=50)
    return asyncio.run(_run(parser.parse_args(argv).turns))


async def _run(turns: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder)) as scene, await scene.discord.person("Ada", scene.standard.guild) as ada:
            await ada.join(scene.standard.voice)
            joining = await ada.slash(scene.standard.text, "voice join")
            await joining.answered(20)
            measured = [await _turn(scene, ada, number) for number in range(turns)]
            heard = ada.ears.heard(scene.bot_id)
            plain = sum(not frame.encrypted and not frame.silence for frame in heard)
            lost = ada.ears.lost(scene.bot_id)
    after_text = _percentiles([one[1] for one in measured])
    met = after_text["p95"] <= GOAL_P95_MS
    line = {
        "bench": "speak",
        "engine": "espeak",
        "turns": turns,
        "first_audio_after_text_ms": after_text,
        "first_audio_ms": _percentiles([one[0] for one in measured]),
        "frames_heard": len(heard),
        "plain_frames": plain,
        "lost": lost,
        "goal": f"first_audio_after_text_ms p95 <= {GOAL_P95_MS:.0f}",
        "met": met,
    }
    print(json.dumps(line), flush=True)
    return 0 if met else 1


async def _turn(scene: Stage, ada: Person, number: int) -> tuple[float, float]:
    scene.chat.script(deltas=REPLIES[number % len(REPLIES)], pace_s=0.3)
    asked = len(scene.chat.requests)
    listening = asyncio.create_task(ada.ears.wait_for_voice(scene.bot_id, 10))
    await asyncio.sleep(0)
    prompted_s = time.monotonic()
    await ada.type(scene.standard.text, f"Question number {number}, please.")
    first = await listening
    text_s = scene.chat.requests[asked].first_sent_s or prompted_s
    await until_quiet(ada.ears, scene.bot_id, 0.5)
    return (first.arrival_s - prompted_s) * 1000, (first.arrival_s - text_s) * 1000


def _percentiles(values: list[float]) -> dict[str, float]:
    cuts = quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1), "max": round(max(values), 1)}
