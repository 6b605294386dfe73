"""The demo's spoken part: Ada asks aloud, the bot answers aloud, and gives way to Bob; measured at their ears."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launch import demo_recording
from launch.listening import Spurt, spurts
from launch.recognition import heard_sentences
from launch.story import StoryError
from loopback.people.espeak import synthesise

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from launch.story import Stage
    from launch.telling import Story
    from loopback.people.ears import HeardFrame
    from loopback.people.person import Person
    from loopback.world.messages import Message

ASKED = "Parley, what will the weather be like tomorrow?"
ANSWER = (
    "There will be fog. Around noon the sun comes through the clouds and warms the valleys and the villages until late in "
    "the evening. The night stays dry and clear."
)
INTERRUPTION = "Wait a moment, I think we should stay at home."
VOICE = "en-us"
QUOTED = "> **Ada:** "
SPOKEN_BY_S, WRITTEN_BY_S = 44.0, 48.0  # since the beginning: a busy machine must not cost the rest of the demo
HEARS_S, ANSWERS_S, WRITTEN_S = 20.0, 15.0, 10.0
SPEAKS_S = 2.0  # the bot, before Bob interrupts it
PAUSE_S = 0.8  # without a voiced packet: longer than between two sentences
LISTENS, DEAF = "I listen here", "I hear nobody here"
TRANSCRIPT = "transcript.txt"


MEASURED = ("voice_to_voice_ms", "barge_in_ms", "heard_words", "interrupted")


@dataclass(frozen=True, slots=True)
class SpokenSounds:
    """What people say in the demo, as s16le stereo PCM at 48 kHz."""

    recorded: tuple[bytes, bytes]
    asked: bytes
    interruption: bytes


async def synthesised() -> SpokenSounds:
    """Everything that people say, made before they speak: on a busy machine that takes longer than to say it."""
    recorded = [await synthesise(words) for _, words in demo_recording.WORDS]
    asked, interruption = [await synthesise(words, voice=VOICE) for words in (ASKED, INTERRUPTION)]
    return SpokenSounds((recorded[0], recorded[1]), asked, interruption)


async def converse(scene: Stage, story: Story, people: tuple[Person, Person], sounds: SpokenSounds) -> HeardTurn:
    """Ada asks aloud and is answered aloud, until Bob interrupts; nothing of it where the bot has no recogniser."""
    if trouble := await deaf(scene):
        story.tell(f"Ada would ask aloud, but the bot says: {trouble}")
        return HeardTurn()
    story.tell(f"Ada says aloud: {ASKED}")
    try:
        async with asyncio.timeout_at(story.begun_s + SPOKEN_BY_S):
            heard = await ask_aloud(scene, *people, sounds)
    except TimeoutError:
        story.tell("The machine is too busy for that: there was no answer in time.")
        return HeardTurn()
    story.tell(f"The bot understood: {heard.words}")
    story.detail(f"It answered aloud; Ada heard that {heard.voice_to_voice_ms:.0f} ms after her last sound.")
    story.detail(f"Bob said into it: {INTERRUPTION} It fell silent {heard.barge_in_ms:.0f} ms after he had begun.")
    return heard


async def read_transcript(story: Story, folder: Path) -> dict[str, Any]:
    """Wait for the transcript of the recording and show it; returns what the report gains."""
    begun_s = time.monotonic()
    text = await transcribed(folder, story.begun_s + WRITTEN_BY_S)
    if not text:
        story.tell("What was said on the recording is not written down yet.")
        return {"transcript": None, "transcript_text": ""}
    story.tell(
        f"What was said on the recording is written down; that was waited for {time.monotonic() - begun_s:.1f} s:"
    )
    for line in text.splitlines():
        story.detail(line)
    return {"transcript": f"recording/{TRANSCRIPT}", "transcript_text": text}


@dataclass(frozen=True, slots=True)
class HeardTurn:
    """What was heard of the spoken turn; nothing by default."""

    voice_to_voice_ms: float = 0.0
    barge_in_ms: float = 0.0
    words: str = ""  # as the recogniser understood Ada
    frames: tuple[HeardFrame, ...] = ()  # of the bot's answer

    @property
    def spurts(self) -> list[Spurt]:
        """The bot's talk-spurts."""
        return spurts(self.frames)

    async def report(self) -> dict[str, Any]:
        """What the report gains; None for what was not heard."""
        if not self.words:
            return dict.fromkeys(MEASURED)
        sound = b"".join(frame.pcm for frame in self.frames)
        interrupted = {
            "prompt": self.words,
            "reply_text": ANSWER,
            "heard_text": " ".join(await heard_sentences(ANSWER, sound)),
        }
        measured = round(self.voice_to_voice_ms, 1), round(self.barge_in_ms, 1), self.words, interrupted
        return dict(zip(MEASURED, measured, strict=True))


async def deaf(scene: Stage) -> str:
    """Wait until the bot listens; why it does not, if so."""
    try:
        async with asyncio.timeout(HEARS_S):
            while True:
                for told in list(scene.standard.text.messages.values()):
                    if LISTENS in told.content:
                        return ""
                    if DEAF in told.content:
                        return told.content
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise StoryError(f"the bot did not listen within {HEARS_S:.0f} s") from None


async def ask_aloud(scene: Stage, ada: Person, bob: Person, sounds: SpokenSounds) -> HeardTurn:
    """Ada asks aloud, hears the answer begin, and Bob speaks into it; gives what both heard.

    Raises:
        TimeoutError: There was no answer.
    """
    bot_id = scene.bot_id
    before = len(ada.ears.heard(bot_id)), len(bob.ears.heard(ada.user.id)), len(ada.ears.heard(bob.user.id))
    scene.chat.script(text=ANSWER)
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(ada.ears.wait_for_voice(bot_id, ANSWERS_S))
        group.create_task(ada.play(sounds.asked))
    asked_until_s = [frame.arrival_s for frame in bob.ears.heard(ada.user.id)[before[1] :] if frame.voiced][-1]
    await asyncio.sleep(SPEAKS_S)
    await bob.play(sounds.interruption)
    reply = await ada.wait_for_message(scene.standard.text, _is_reply, timeout=WRITTEN_S)
    await asyncio.sleep(PAUSE_S)
    frames = ada.ears.heard(bot_id)[before[0] :]
    onset_s = next(frame.arrival_s for frame in ada.ears.heard(bob.user.id)[before[2] :] if frame.voiced)
    silent_s = _silent_from(onset_s, [frame.arrival_s for frame in frames if frame.voiced])
    voice_to_voice_ms = (listening.result().arrival_s - asked_until_s) * 1000
    return HeardTurn(voice_to_voice_ms, (silent_s - onset_s) * 1000, _understood(reply), tuple(frames))


def _is_reply(message: Message) -> bool:
    """Whether a message is the written reply to what was said: a quotation with the answer below."""
    return QUOTED in message.content and ANSWER[:8] in message.content


def _understood(reply: Message) -> str:
    """What the recogniser understood of Ada: the last of the words that the reply quotes."""
    lines = [line for line in reply.content.split("\n") if line.startswith(QUOTED)]
    return lines[-1].removeprefix(QUOTED) if lines else ""


def _silent_from(onset_s: float, voiced_s: Sequence[float]) -> float:
    """When the bot was last heard before it paused, after somebody began to speak."""
    after = [at_s for at_s in voiced_s if at_s >= onset_s]
    return next((a for a, b in itertools.pairwise([*after, float("inf")]) if b - a > PAUSE_S), onset_s)


async def transcribed(folder: Path, until_s: float) -> str:
    """What was said on a recording, once that is written down; empty if it is not in time.

    Args:
        folder: The finished recording.
        until_s: time.monotonic.
    """
    try:
        async with asyncio.timeout_at(until_s):
            while not await asyncio.to_thread(_is_transcribed, folder):  # noqa: ASYNC110 - files tell no event
                await asyncio.sleep(0.1)
    except TimeoutError:
        return ""
    return await asyncio.to_thread((folder / TRANSCRIPT).read_text, "utf-8")


def _is_transcribed(folder: Path) -> bool:
    document = folder / "transcript.json"
    return (folder / TRANSCRIPT).exists() and json.loads(document.read_bytes())["state"] == "finished"
