"""`launcher.py demo`: a conversation on a Discord on localhost, heard by a person in the channel."""

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

from launch.listening import spurts
from launch.story import Stage, StoryError, stage

if TYPE_CHECKING:
    import argparse

    from loopback.ears import Ears
    from loopback.person import Person

LIMIT_S = 58.0
PROMPT = "Good evening! Can you tell us what makes a good conversation?"
SECOND_PROMPT = "Thank you. And what do you think about tea?"
QUIET_S = 1.0  # the bot has finished when nothing of it was heard for this long


class Story:
    """Prints what happens, with the seconds since the start."""

    def __init__(self) -> None:
        self._start_s = time.monotonic()

    def tell(self, text: str) -> None:
        """One line."""
        print(f"{time.monotonic() - self._start_s:6.2f} s  {text}", flush=True)


def demo(arguments: argparse.Namespace) -> int:
    """Run the demo; gives the exit code."""
    out = Path(arguments.out)
    logging.getLogger().setLevel(logging.WARNING)
    try:
        out.mkdir(parents=True, exist_ok=True)
        return asyncio.run(_within_limit(out))
    except OSError as error:
        print(f"The demo cannot write to {out}: {error.strerror or error}.")
        return 2
    except StoryError as error:
        print(f"The demo stopped: {error}.")
        return 1


async def _within_limit(out: Path) -> int:
    try:
        async with asyncio.timeout(LIMIT_S):
            return await _tell(out, Story())
    except TimeoutError:
        raise StoryError(f"it took longer than {LIMIT_S:.0f} s; see {out / 'bot.log'}") from None


async def _tell(out: Path, story: Story) -> int:
    story.tell("A Discord starts on localhost: REST, gateway, voice with end-to-end encryption.")
    with tempfile.TemporaryDirectory(prefix="parley-demo-") as temporary:
        folder = Path(temporary)
        try:
            async with stage(folder) as scene:
                story.tell(f"The bot starts in a process of its own and is ready after {scene.ready_s:.2f} s.")
                report = await _converse(scene, story, out)
                code = await scene.stop_bot()
                story.tell(f"The bot is stopped and ends with exit code {code}.")
            report["heard_text"] = await asyncio.to_thread(_remembered, folder / "parley.db")
        finally:
            if (folder / "bot.log").exists():
                shutil.copy(folder / "bot.log", out / "bot.log")
    (out / "report.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    story.tell(f"Listen to {out / 'heard.wav'}; the measurements are in {out / 'report.json'}.")
    return 0 if code == 0 and report["frames_heard"] else 1


async def _converse(scene: Stage, story: Story, out: Path) -> dict[str, Any]:
    """Ada and Bob meet the bot in a voice channel; gives what Ada's ears measured."""
    text, voice = scene.standard.text, scene.standard.voice
    async with (
        await scene.discord.person("Ada", scene.standard.guild) as ada,
        await scene.discord.person("Bob", scene.standard.guild) as bob,
    ):
        await asyncio.gather(ada.join(voice), bob.join(voice))
        story.tell("Ada and Bob are in the voice channel “Lounge”.")
        joining = await ada.slash(text, "voice join")
        story.tell(f"Ada runs /voice join. The bot: {_readable(scene, (await joining.answered(20)).content)}")
        turns = [await _ask(scene, story, ada, prompt) for prompt in (PROMPT, SECOND_PROMPT)]
        status = await (await ada.slash(text, "voice status")).answered()
        for field in status.embeds[0]["fields"]:
            story.tell(f"/voice status: {field['name']}: " + _readable(scene, ", ".join(field["value"].splitlines())))
        connection = scene.discord.voice.session(guild_id=scene.standard.guild.id, user_id=scene.bot_id)
        sent = connection.endpoint.received if connection is not None else 0
        leaving = await ada.slash(text, "voice leave")
        story.tell(f"Ada runs /voice leave. The bot: {_readable(scene, (await leaving.answered(10)).content)}")
        ears = ada.ears
        await asyncio.to_thread(ears.write_wav, out / "heard.wav", [scene.bot_id])
        heard = [spurt for turn in turns for spurt in turn["spurts"]]
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
            "ready_s": round(scene.ready_s, 2),
            "reply_text": " ".join(turn["reply_text"] for turn in turns),
            "turns": [{key: value for key, value in turn.items() if key != "spurts"} for turn in turns],
        }


async def _ask(scene: Stage, story: Story, person: Person, prompt: str) -> dict[str, Any]:
    """One prompt: type it, hear the answer to its end, read it."""
    ears, bot = person.ears, scene.standard.bot
    before, asked = len(ears.heard(bot.id)), len(scene.chat.requests)
    prompted_s = time.monotonic()
    message = await person.type(scene.standard.text, prompt)
    story.tell(f"{person.user.name} types: {prompt}")
    first = await ears.wait_for_voice(bot.id, 15)
    first_audio_ms = (first.arrival_s - prompted_s) * 1000
    first_text_s = scene.chat.requests[asked].first_sent_s or prompted_s
    story.tell(
        f"{person.user.name} hears the bot {first_audio_ms:.0f} ms after the prompt, "
        f"{(first.arrival_s - first_text_s) * 1000:.0f} ms after the first text, while the model goes on."
    )
    await until_quiet(ears, bot.id)
    reply = await person.wait_for_message(
        scene.standard.text, lambda found: found.author is bot and found.id > message.id, 5
    )
    frames = ears.heard(bot.id)[before:]
    spoken = spurts(frames)
    story.tell(f"The bot has said and written: {reply.content}")
    story.tell(
        f"That was {sum(spurt.duration_s for spurt in spoken):.1f} s of sound in {len(frames)} packets, "
        f"{sum(frame.encrypted for frame in frames)} of them end-to-end encrypted."
    )
    return {
        "prompt": prompt,
        "reply_text": reply.content,
        "first_audio_ms": round(first_audio_ms, 1),
        "first_audio_after_text_ms": round((first.arrival_s - first_text_s) * 1000, 1),
        "spurts": spoken,
    }


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


def _remembered(database: Path) -> str:
    """What the bot remembers having said: the text of the frames that went out."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT content FROM history WHERE role = 'assistant' ORDER BY id").fetchall()
    return " ".join(row[0] for row in rows)
