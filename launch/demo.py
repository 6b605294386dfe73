"""`launcher.py demo`: a conversation on a Discord on localhost, written and spoken, heard by a person in the channel."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch import demo_heard, demo_persona, demo_recording
from launch.listening import spurts
from launch.recognition import heard_sentences
from launch.story import Stage, StoryError, stage
from launch.telling import Story
from loopback.people.refused import Refused
from loopback.services.chat import Chat
from loopback.world.permissions import Permission

if TYPE_CHECKING:
    import argparse

    from loopback.people.ears import Ears
    from loopback.people.person import Person

FAILED, USAGE = 1, 2  # exit codes
LIMIT_S = 58.0
QUIET_S = 1.0  # the bot has finished when nothing of it was heard for this long
INTRODUCTION = """\
A whole Discord runs on this machine for a few seconds, with a bot and two people in an end-to-end encrypted voice
channel. Bot, Discord and people are real programs that talk over real sockets; the language model is a stand-in that
answers from a script, token by token, and all voices are espeak-ng. The bot understands what is said with the small
Whisper that it comes with. Nothing leaves this machine.
"""
FIRST = (
    "Good evening! What makes a good conversation?",
    (
        "Good evening, Ada. Two things, I think: somebody who is curious, and somebody who listens to the end. "
        "The rest is tea."
    ),
)

REMEMBERED = """
SELECT content FROM history WHERE role = 'assistant'
AND turn_id IN (SELECT turn_id FROM history WHERE role = 'user' AND content = ?) ORDER BY id
"""


def demo(arguments: argparse.Namespace) -> int:
    """Run the demo; returns the exit code."""
    out = Path(arguments.out)
    if not arguments.verbose:
        logging.getLogger().setLevel(logging.WARNING)
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "report.json").write_text("", encoding="utf-8")
    except OSError as error:
        print(f"The demo cannot write to {out}: {error.strerror or error}. Name another folder with --out.")
        return USAGE
    try:
        return asyncio.run(_within_limit(out))
    except (StoryError, Refused, OSError, TimeoutError) as error:
        print(f"The demo stopped: {str(error) or 'something did not happen in time'}. See {out / 'bot.log'}.")
        return FAILED


async def _within_limit(out: Path) -> int:
    try:
        async with asyncio.timeout(LIMIT_S):
            return await _tell(out, Story(INTRODUCTION))
    except TimeoutError:
        raise StoryError(f"it took longer than {LIMIT_S:.0f} s") from None


async def _tell(out: Path, story: Story) -> int:
    story.tell("Discord starts on localhost: REST, gateway, and voice over TLS and UDP.")
    with tempfile.TemporaryDirectory(prefix="parley-demo-") as temporary:
        folder = Path(temporary)
        try:
            async with Chat() as background, stage(folder, _settings(folder, background)) as scene:
                story.tell(f"The bot starts in a process of its own; it was ready after {scene.ready_s:.2f} s.")
                report = await _converse(scene, story, out, background)
                code = await scene.stop_bot()
                story.tell(f"The bot is asked to stop, and ends with exit code {code}.")
            database = folder / "parley.db"
            report["remembered_text"] = await asyncio.to_thread(_remembered, database, FIRST[0])
            if interrupted := report["interrupted"]:
                remembered = await asyncio.to_thread(_remembered, database, interrupted["prompt"])
                interrupted["remembered_text"] = remembered
        finally:
            if (folder / "bot.log").exists():
                shutil.copy(folder / "bot.log", out / "bot.log")
    (out / "report.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _summarise(report, story)
    story.chapter(
        f"Listen to {out / 'heard.wav'}; the recording is in {out / 'recording'}. All measurements are in "
        f"{out / 'report.json'}."
    )
    return 0 if code == 0 and report["heard_text"] and report["heard_words"] else FAILED


def _settings(folder: Path, background: Chat) -> dict[str, dict[str, Any]]:
    return {
        "recording": {"folder": (folder / demo_recording.FOLDER).as_posix()},
        "hearing": {"engine": "embedded"},
        **demo_persona.settings(background),
    }


async def _converse(scene: Stage, story: Story, out: Path, background: Chat) -> dict[str, Any]:
    """Ada and Bob meet the bot in a voice channel; returns what Ada's ears measured."""
    text, voice = scene.standard.text, scene.standard.voice
    hosts = scene.discord.world.add_role(scene.standard.guild, "hosts", Permission.MANAGE_CHANNELS)  # may record
    async with (
        await scene.discord.person("Ada", scene.standard.guild, roles=[hosts]) as ada,
        await scene.discord.person("Bob", scene.standard.guild) as bob,
    ):
        await asyncio.gather(ada.join(voice), bob.join(voice))
        story.tell("Ada and Bob join the voice channel “Lounge”.")
        joining = await ada.slash(text, "voice join")
        story.tell(f"Ada runs /voice join. The bot: {_readable(scene, (await joining.answered(20)).content)}")
        turn, sounds = await asyncio.gather(_ask(scene, story, ada, *FIRST), demo_heard.synthesised())
        folder = await _record(scene, story, ada, bob, sounds)
        heard = await demo_heard.converse(scene, story, (ada, bob), sounds)
        transcript = await demo_heard.read_transcript(story, folder)
        status = await (await ada.slash(text, "voice status")).answered()
        story.tell("Ada runs /voice status. The bot shows:")
        for field in status.embeds[0]["fields"]:
            story.detail(f"{field['name']}: " + _readable(scene, ", ".join(field["value"].splitlines())))
        persona = demo_persona.PersonaSeen()
        await demo_persona.refused(scene, story, ada, persona)
        connection = scene.discord.voice.session(guild_id=scene.standard.guild.id, user_id=scene.bot_id)
        sent = connection.endpoint.received if connection is not None else 0
        leaving = await ada.slash(text, "voice leave")
        story.tell(f"Ada runs /voice leave. The bot: {_readable(scene, (await leaving.answered(10)).content)}")

        async def measure() -> dict[str, Any]:
            await asyncio.to_thread(ada.ears.write_wav, out / "heard.wav", [scene.bot_id])
            report = _measured(scene, ada.ears, [turn], sent) | await heard.report() | transcript
            report["speech_s"] = round(report["speech_s"] + sum(spurt.duration_s for spurt in heard.spurts), 2)
            listeners = {ada.user.id: bob, bob.user.id: ada}
            report["tracks"] = await asyncio.to_thread(demo_recording.tracks, folder, listeners)
            report["recording_files"] = await asyncio.to_thread(demo_recording.keep, folder, out)
            return report

        report, lived = await asyncio.gather(
            measure(), demo_persona.live(scene, story, (ada, bob), background, persona)
        )
        return report | lived


async def _record(scene: Stage, story: Story, ada: Person, bob: Person, sounds: demo_heard.SpokenSounds) -> Path:
    """Ada has the call recorded while she and Bob talk; returns the recording's folder."""
    text = scene.standard.text
    started = await ada.slash(text, "voice record")
    story.tell(f"Ada runs /voice record. The bot: {_readable(scene, (await started.answered(10)).content)}")
    for name, words in demo_recording.WORDS:
        story.tell(f"{name} says: {words}")
    await demo_recording.talk(ada, bob, sounds.recorded)
    stopped = await ada.slash(text, "voice record", action="stop")
    story.tell(f"Ada stops the recording. The bot: {_readable(scene, (await stopped.answered(10)).content)}")
    begun_s = time.monotonic()
    folder = await demo_recording.finished(scene)
    story.tell(f"The tracks of both, their mix and a picture were finished {time.monotonic() - begun_s:.1f} s later.")
    return folder


def _measured(scene: Stage, ears: Ears, turns: list[dict[str, Any]], sent: int) -> dict[str, Any]:
    heard = [spurt for turn in turns for spurt in turn.pop("spurts")]
    frames = ears.heard(scene.bot_id)
    return {
        "first_audio_ms": turns[0]["first_audio_ms"],
        "first_audio_after_text_ms": turns[0]["first_audio_after_text_ms"],
        "frames_sent": sent,
        "frames_heard": len(frames),
        "dave_frames": sum(frame.encrypted for frame in frames),
        "plain_frames": sum(not frame.encrypted and not frame.silence for frame in frames),
        "silence_frames": sum(frame.silence for frame in frames),
        "lost": ears.lost(scene.bot_id),
        "underruns": sum(spurt.silent_inside for spurt in heard),
        "max_gap_ms": round(max((spurt.max_gap_ms for spurt in heard), default=0.0), 1),
        "speech_s": round(sum(spurt.duration_s for spurt in heard), 2),
        "ready_s": round(scene.ready_s, 2),
        "reply_text": " ".join(turn["reply_text"] for turn in turns),
        "heard_text": " ".join(turn["heard_text"] for turn in turns),
        "turns": turns,
    }


async def _ask(scene: Stage, story: Story, person: Person, prompt: str, answer: str) -> dict[str, Any]:
    """One prompt: type it, hear the answer to its end, read it, and compare the two."""
    ears, bot = person.ears, scene.standard.bot
    before, asked = len(ears.heard(bot.id)), len(scene.chat.requests)
    scene.chat.script(text=answer)
    prompted_s = time.monotonic()
    message = await person.type(scene.standard.text, prompt)
    story.tell(f"{person.user.name} types: {prompt}")
    first = await ears.wait_for_voice(bot.id, 15)
    first_audio_ms = (first.arrival_s - prompted_s) * 1000
    after_text_ms = (first.arrival_s - (scene.chat.requests[asked].first_sent_s or prompted_s)) * 1000
    story.tell(
        f"{person.user.name} hears the bot {first_audio_ms:.0f} ms after the prompt and {after_text_ms:.0f} ms after the "
        "model's first word."
    )
    await until_quiet(ears, bot.id)
    reply = await person.wait_for_message(scene.standard.text, lambda found: found.reply_to_id == message.id)
    frames = ears.heard(bot.id)[before:]
    spoken = spurts(frames)
    story.tell(f"The bot has said and written: {reply.content}")
    sound = b"".join(frame.pcm for frame in frames)
    return {
        "prompt": prompt,
        "reply_text": reply.content,
        "heard_text": " ".join(await heard_sentences(reply.content, sound)),
        "first_audio_ms": round(first_audio_ms, 1),
        "first_audio_after_text_ms": round(after_text_ms, 1),
        "spurts": spoken,
    }


def _summarise(report: dict[str, Any], story: Story) -> None:
    story.chapter("What Ada's ears measured, first turn and all packets:")
    complete = report["heard_text"] == report["reply_text"]
    for name, value in {
        "prompt to first sound": f"{report['first_audio_ms']:.0f} ms",
        "first word to first sound": f"{report['first_audio_after_text_ms']:.0f} ms",
        "speech": f"{report['speech_s']:.1f} s, {'every sentence' if complete else 'NOT every sentence'} of the replies",
        "packets": f"{report['frames_sent']} sent, {report['frames_heard']} heard, {report['lost']} lost",
        "end-to-end encrypted": f"{report['dave_frames']} (the other {report['silence_frames']} are silence, which "
        f"never is), {report['plain_frames']} unprotected",
        "longest gap in speech": f"{report['max_gap_ms']:.0f} ms (20 is even), ran dry {report['underruns']} times",
    }.items():
        story.detail(f"{name:<27}{value}")
    if report["voice_to_voice_ms"] is not None:
        story.detail(f"{'end of speech to answer':<27}{report['voice_to_voice_ms']:.0f} ms")
        story.detail(f"{'interruption to silence':<27}{report['barge_in_ms']:.0f} ms")
    for track in report["tracks"]:
        story.detail(
            f"{'track of ' + track['name']:<27}{track['rms_dbfs']:.0f} dBFS, {track['offset_error_ms']} ms from where it was "
            f"heard, {track['lost']} of {track['received'] + track['lost']} packets lost"
        )


def _readable(scene: Stage, text: str) -> str:
    """Mentions and times as a client shows them."""
    names = {user.id: f"@{user.name}" for user in scene.discord.world.users.values()}
    names |= {channel.id: f"#{channel.name}" for channel in scene.standard.guild.channels.values()}
    text = re.sub(r"<(?:@!?|#)(\d+)>", lambda found: names.get(int(found[1]), found[0]), text)
    return re.sub(r"<t:(\d+):R>", lambda found: f"{max(0, round(time.time() - int(found[1])))} seconds ago", text)


async def until_quiet(ears: Ears, user_id: int, quiet_s: float = QUIET_S) -> None:
    """Wait until nothing was heard of somebody for `quiet_s` seconds."""
    count = -1
    quiet_since_s = time.monotonic()
    while time.monotonic() - quiet_since_s < quiet_s:
        now = len(ears.heard(user_id))
        if now != count:
            count, quiet_since_s = now, time.monotonic()
        await asyncio.sleep(0.05)


def _remembered(database: Path, prompt: str) -> str:
    """What the bot remembers having answered to a prompt: the text of the frames that it sent."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(REMEMBERED, [prompt]).fetchall()
    return " ".join(row[0] for row in rows)
