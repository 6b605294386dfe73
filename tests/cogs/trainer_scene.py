"""A server with training on, and people who ask, agree and judge; for the tests of the trainer."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from core.config import Environment
from core.config.model import ModelSection
from launch.bot import ParleyBot
from loopback.world.permissions import Permission

COGS = ("cogs.prompt", "cogs.admin", "cogs.recordings", "cogs.lockdown", "cogs.trainer")
MENU = "Correct this answer"


class TrainerScene:
    """What the tests of the trainer do again and again."""

    def __init__(self, scene: Any) -> None:
        self.scene = scene

    async def start(self, *, cogs=COGS, routes=None, environ=None, servers=None, channels=(), **trainer) -> ParleyBot:
        scene = self.scene
        servers = [scene.guild.id] if servers is None else servers
        sections = {key: trainer.pop(key) for key in ("hearing", "prompt", "persona") if key in trainer}
        config = scene.config(
            prompt={"gather_idle_s": 0.02, **sections.pop("prompt", {})},
            trainer={"servers": servers, "channels": list(channels), "poll_s": 0.05, **trainer},
            **sections,
        )
        default = {"base_url": scene.chat.base_url, "model": "stand-in", "retries": 0}
        model = ModelSection.model_validate({"routes": {"default": default, **(routes or {})}})
        config = config.model_copy(update={"model": model})
        bot = ParleyBot(config, Environment(environ or {}), cogs=cogs, connector=scene.discord.connector())
        return await scene.start_bot(bot)

    @property
    def training(self) -> Any:
        return self.scene.runtime.training

    async def manager(self, name: str = "Mia") -> Any:
        """Somebody with Manage Server."""
        role = self.scene.world.add_role(self.scene.guild, "managers", Permission.MANAGE_GUILD)
        return await self.scene.person(name, roles=[role])

    async def agree(self, *people: Any, decision: str | None = "in") -> None:
        for person in people:
            await self.scene.runtime.privacy.decide(person.user.id, decision, ["trained_on"])

    async def asked(self, person: Any, text: str, answer: str, channel: Any = None) -> Any:
        """The bot's answer to what somebody asks, when it is kept."""
        scene = self.scene
        scene.chat.script(deltas=[answer])
        before = await self.kept()
        message = await person.type(channel or scene.text, f"<@{scene.bot_user.id}> {text}")
        reply = await scene.reply(person, message)
        for _ in range(30):  # what is not to be kept never is
            if await self.kept() > before:
                break
            await asyncio.sleep(0.01)
        return reply

    async def kept(self) -> int:
        return await self.training.judging.count(self.scene.guild.id)

    async def correct(self, person: Any, reply: Any, text: str) -> str:
        """What somebody is told after they corrected an answer by its menu."""
        opened = await person.message_menu(reply, MENU)
        sent = await person.submit(opened, **{"text-0": text})
        return (await sent.answered()).content

    async def examples(self, name: str = "corrections") -> list[Any]:
        kept = await self.training.data_sets.find(self.scene.guild.id, name)
        return await self.training.data_sets.examples(kept)

    async def file(self, person: Any, command: str, **options: Any) -> tuple[str, dict[str, bytes]]:
        """What somebody reads after a command, and the files that came with it."""
        interaction = await person.slash(self.scene.text, command, **options)
        message = await interaction.wait_for(lambda found: not found.content.startswith("Testing"), 60)
        return message.content, {each.filename: each.data for each in message.attachments}


def plain(text: str) -> str:
    """A text without the signs that protect it."""
    return re.sub(r"\\(.)", r"\1", text).replace("\u200b", "")
