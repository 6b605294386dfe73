"""How many spoken commands are understood, and that no sentence that only has such words in it is taken for one.

Commands and sentences are said by several synthetic voices, go through Opus as a call's sound does, and are recognised by the
model that comes with Parley, in this process, with the hints of a channel with two people in it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import TYPE_CHECKING

import numpy as np

from bench.transcribe import at_16k, lossy
from core.hearing.commands import CommandGrammar
from core.hearing.engines.whisper_worker import HearingOptions, ModelSpec, hear, open_model
from core.hearing.models import embedded, verify
from core.hearing.transcriber import Bias
from loopback.people.espeak import synthesise

if TYPE_CHECKING:
    from core.config.hearing import CommandName
    from core.hearing.text import Transcription

VOICES = ("en-us", "en-us+m3", "en-us+f2", "en-us+f3", "en", "en-us+m7")
COMMANDS: dict[CommandName, tuple[str, ...]] = {
    "leave": ("Parley, leave.", "Parley, please leave the channel."),
    "stop": ("Parley, stop.", "Hey Parley, stop talking."),
    "skip": ("Parley, skip.", "Parley, skip this one."),
    "louder": ("Parley, louder.", "Parley, turn it up."),
    "quieter": ("Parley, quieter.", "Parley, turn it down."),
    "record": ("Parley, record.", "Parley, start recording."),
    "stop_recording": ("Parley, stop recording.", "Parley, stop the recording."),
    "who": ("Parley, who is here?", "Parley, who is in the channel?"),
    "missed": ("Parley, what did I miss?", "Parley, what have I missed?"),
}
SENTENCES = (
    "Please leave the door open.", "I had to stop at the red light.", "Do not skip your breakfast.",
    "It was louder than a train.", "My new car is quieter.", "She broke the record last year.",
    "They will stop recording on Friday.", "I know who is here.", "Tell me what did I miss in school.",
    "Stop the car, please.", "Leave me alone.", "Record numbers of people came.", "Finally, stop.", "Charlie, leave.",
    "Skip to the next page of the book.", "Louder voices do not win an argument.", "Parley, when does the train leave?",
    "Parley, how do I stop the bleeding?", "Parley, who holds the record for the long jump?",
    "Parley, can you name a louder animal?", "Parley, why do people skip lunch?", "Parley, what is a quieter engine?",
    "Parley, tell me about vinyl record players.", "Parley, did the rain stop?", "Harvey, stop recording.",
    "Parley, who is the president of France?", "Parley, what did I say yesterday?", "Finally, turn it up.",
    "Parley, I want to leave my job, what should I do?", "Parley, who is here to stay, cats or dogs?",
    "I told Parley to stop.", "We said Parley should leave.", "Then Parley got louder.", "Partly because we had to leave.",
    "Parley stopped the recording because nobody was there.", "Parley, stop me if you heard this one.",
    "Parley, leave out the details and tell me more.", "Parley, what did I miss about the second world war?",
    "Parley, is it louder on the moon?", "Parlor games stop at eight.", "Parley, what makes a good record?",
    "Parley, skip forward to the year two thousand in your story.", "Parley, who is he?", "Party louder than ever.",
)  # fmt: skip
GOAL = 0.85


def main(argv: list[str]) -> int:
    """Say everything, and print two lines."""
    parser = argparse.ArgumentParser(prog="python -m bench commands", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one voice")
    parser.add_argument("--show", action="store_true", help="print what was misunderstood")
    options = parser.parse_args(argv)
    found = embedded()
    verify(found)
    spec = ModelSpec(found.name, str(found.folder))
    open_model(spec)
    return asyncio.run(_run(spec, VOICES[:1] if options.quick else VOICES, show=options.show))


async def _run(spec: ModelSpec, voices: tuple[str, ...], *, show: bool) -> int:
    grammar = CommandGrammar()
    understood = commands = false = sentences = 0
    for voice in voices:
        for wanted, text in [(name, text) for name, said in COMMANDS.items() for text in said]:
            heard = await _heard(spec, text, voice)
            got = grammar.find(heard.text, heard.hinted, ["Parley"])
            commands, understood = commands + 1, understood + (got == wanted)
            _show(show and got != wanted, voice, text, heard, got)
        for text in SENTENCES:
            heard = await _heard(spec, text, voice)
            got = grammar.find(heard.text, heard.hinted, ["Parley"])
            sentences, false = sentences + 1, false + (got is not None)
            _show(show and got is not None, voice, text, heard, got)
    recall = understood / commands
    line = {
        "bench": "commands",
        "what": "commands",
        "voices": len(voices),
        "said": commands,
        "recall": round(recall, 3),
    }
    print(json.dumps({**line, "goal": f"recall >= {GOAL:g}", "met": recall >= GOAL}), flush=True)
    line = {"bench": "commands", "what": "only such words", "said": sentences, "taken_for_commands": false}
    print(json.dumps({**line, "goal": "none", "met": not false}), flush=True)
    return 0 if recall >= GOAL and not false else 1


async def _heard(spec: ModelSpec, text: str, voice: str) -> Transcription:
    pcm = np.frombuffer(await synthesise(text, voice=voice), np.int16).reshape(-1, 2)[:, 0]
    sound = at_16k(lossy(np.multiply(pcm, 1 / 32768, dtype=np.float32), 0.0))
    options = HearingOptions(None, Bias(("Ada", "Bob"), "Parley"), words=False, beam=1)
    return hear(spec, np.pad(sound, (8000, 8000)), options)


def _show(wanted: bool, voice: str, text: str, heard: Transcription, got: str | None) -> None:
    if wanted:
        print(json.dumps({"voice": voice, "said": text, "text": heard.text, "hinted": heard.hinted, "got": got}))
