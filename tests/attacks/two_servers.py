"""A bot on two servers, each with an administrator who has no say on the other, and neither of whom owns the bot."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loopback.world.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from core.lockdown import Feature
    from core.lockdown.service import Lockdown
    from loopback.people.person import Person


@dataclass
class Administrator:
    """A person with every right on one server."""

    person: Person
    channel: Any

    @property
    def user(self) -> Any:
        return self.person.user

    async def __call__(self, command: str, **options: object) -> str:
        """What they read after a slash command on their server."""
        interaction = await self.person.slash(self.channel, command, **options)
        return (await interaction.answered(30)).content

    async def complete(self, command: str, option: str) -> list[Any]:
        return await self.person.autocomplete(self.channel, command, option, "")

    async def status(self) -> str:
        """`/lockdown status` as one text."""
        interaction = await self.person.slash(self.channel, "lockdown status")
        (embed,) = (await interaction.answered(30)).embeds
        return "\n".join([embed["description"], *(field["value"] for field in embed["fields"])])


@dataclass
class TwoServers:
    """Grace administers the scene's server, Hugo another one."""

    scene: Any
    guild: Any
    text: Any
    grace: Administrator
    hugo: Administrator

    @classmethod
    @asynccontextmanager
    async def of(cls, scene: Any) -> AsyncGenerator[TwoServers]:
        world = scene.world
        guild = world.add_guild("Elsewhere")
        world.add_member(guild, scene.bot_user)
        text = world.add_text_channel(guild, "talk")
        scene.bot_user.application.owner = world.add_user("Olga")
        grace = await scene.person("Grace", roles=[scene.admin_role])
        admins = world.add_role(guild, "admins", Permission.ADMINISTRATOR)
        async with await scene.discord.person("Hugo", guild, roles=[admins]) as hugo:
            yield cls(scene, guild, text, Administrator(grace, scene.text), Administrator(hugo, text))

    @property
    def lockdown(self) -> Lockdown:
        return self.scene.runtime.lockdown

    def register(self, feature: Feature, owner: object = "test") -> None:
        self.lockdown.register(feature, owner=owner)

    async def messages(self) -> list[Any]:
        """A message on each server, as the bot sees it."""
        found = []
        for person, channel in ((self.grace.person, self.scene.text), (self.hugo.person, self.text)):
            message = await person.type(channel, "look")
            found.append(await self.scene.bot.get_channel(channel.id).fetch_message(message.id))
        return found


def commands_of(scene: Any) -> list[str]:
    """What Discord knows of the bot, everywhere."""
    return sorted(command["name"] for command in scene.discord.registry.all(scene.bot_user.id, None))
