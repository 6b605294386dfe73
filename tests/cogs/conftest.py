"""A Discord on localhost with a bot, a chat server, and people, all in one loop."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from core.config import Config, Environment
from launch.bot import ParleyBot
from loopback.server import Loopback
from loopback.services.chat import Chat
from loopback.world.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from core.bot.runtime import Runtime
    from core.voice.session import VoiceSession
    from loopback.people.person import Person
    from loopback.world.messages import Message

COGS = ("cogs.voice", "cogs.prompt", "cogs.admin")


class Scene:
    """One guild with a text channel, a voice channel, a bot of ours and a chat server."""

    def __init__(self, stack: AsyncExitStack, discord: Loopback, chat: Chat, folder: Path) -> None:
        self.discord = discord
        self.chat = chat
        self.folder = folder
        standard = discord.standard()
        self.guild, self.text, self.voice, self.bot_user = (
            standard.guild,
            standard.text,
            standard.voice,
            standard.bot,
        )
        self.world = discord.world
        self._stack = stack

    async def start(
        self,
        *,
        cogs: tuple[str, ...] = COGS,
        model: bool = True,
        first_token_s: float = 30.0,
        **sections: dict[str, Any],
    ) -> ParleyBot:
        """Log our bot in, with these cogs and settings, and wait until it is ready."""
        config = self.config(model=model, first_token_s=first_token_s, **sections)
        return await self.start_bot(ParleyBot(config, Environment({}), cogs=cogs, connector=self.discord.connector()))

    async def start_bot(self, bot: Any) -> Any:
        """Log any bot in and wait until it is ready; it is closed with the scene."""
        running = asyncio.create_task(bot.start(self.bot_user.token))
        self._stack.push_async_callback(_stop, bot, running)
        ready = asyncio.create_task(bot.wait_until_ready())
        await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED, timeout=30)
        if running.done():
            running.result()
        assert ready.done(), "the bot did not become ready"
        self.bot = bot
        return bot

    def config(self, *, model: bool = True, first_token_s: float = 30.0, **sections: dict[str, Any]) -> Config:
        route = {
            "base_url": self.chat.base_url,
            "model": "stand-in",
            "retries": 0,
            "first_token_timeout_s": first_token_s,
        }
        routes = {"default": route} if model else {}
        tables: dict[str, Any] = {
            "store": {"url": f"sqlite+aiosqlite:///{(self.folder / 'parley.db').as_posix()}"},
            "model": {"routes": routes},
            "hearing": {"engine": "off"},  # who tests it says so: a model takes seconds and a third of a gigabyte
            **sections,
        }
        return Config(**tables, base=self.folder)

    def strip_bot(self) -> None:
        """Take the bot's administrator role away."""
        self.world.edit_member(self.guild, self.guild.members[self.bot_user.id], role_ids=[])

    @property
    def admin_role(self) -> Any:
        """A role with every right."""
        return self.world.add_role(self.guild, "admins", Permission.ADMINISTRATOR)

    @property
    def runtime(self) -> Runtime:
        return self.bot.parley

    @property
    def session(self) -> VoiceSession | None:
        return self.runtime.voice.session(self.guild.id)

    async def person(self, name: str = "Ada", **options: Any) -> Person:
        person = await self.discord.person(name, self.guild, **options)
        return await self._stack.enter_async_context(person)

    async def joined(self, name: str = "Ada") -> Person:
        """A person in the voice channel, with the bot there as well."""
        person = await self.person(name)
        await person.join(self.voice)
        answer = await self.run(person, "voice join")
        assert "I am in" in answer, answer
        return person

    async def run(self, person: Person, command: str, *, timeout: float = 30, **options: object) -> str:
        """What a person reads after a slash command."""
        interaction = await person.slash(self.text, command, **options)
        return (await interaction.answered(timeout)).content

    async def reply(self, person: Person, after: Message, *, timeout: float = 30) -> Message:
        """The bot's next message in the channel of a person's message, when the turn is over and it is complete."""
        found = await person.wait_for_message(
            after.channel, lambda found: found.author is self.bot_user and found.id > after.id, timeout
        )
        await self.turns_over()
        return found

    def events(self, *kinds: type[Any]) -> list[Any]:
        """A list that fills with what the hub carries from now on, of these classes."""
        found: list[Any] = []
        for kind in kinds:
            self.runtime.hub.subscribe(kind, found.append, owner=found)
        return found

    def notices(self, channel: Any = None) -> list[str]:
        """What the bot wrote into a channel, by default the usual text channel."""
        messages = (channel or self.text).messages.values()
        return [message.content for message in messages if message.author is self.bot_user and not message.is_ephemeral]

    def hang_up(self, code: int) -> None:
        """Let the voice server close the bot's websocket with a code, and nobody else's."""
        self.discord.voice.session(guild_id=self.guild.id, user_id=self.bot_user.id).hang_up(code)

    async def ended(self, session: VoiceSession) -> None:
        """Wait until a session is over, and see that nothing of it is left."""
        await self.until(lambda: session not in self.runtime.voice.sessions)
        await self.until(lambda: not left_of(session))
        assert self.guild.voice_states.get(self.bot_user.id) is None
        assert session.guild.voice_client is None

    async def turns_over(self) -> None:
        """Wait until everything that was asked has been answered."""
        await self.until(lambda: not self.runtime.conversation.busy, 30)

    async def until(self, condition: Any, timeout: float = 30) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(timeout):
            while not condition():  # noqa: ASYNC110 - what tests wait for has no event of its own
                await asyncio.sleep(0.01)


def left_of(session: VoiceSession) -> list[str]:
    """Tasks and threads that a session began and that still run."""
    marks = (f"session {session.id}", f"end {session.id}", "media:", "Voice connector", "voice: speaking")
    tasks = [task.get_name() for task in asyncio.all_tasks()]
    names = (f"parley-voice-{session.guild.id}", f"parley-voice-reader-{id(session.client.connection):x}")
    threads = [thread.name for thread in threading.enumerate() if thread.name in names]
    return [task for task in tasks if any(mark in task for mark in marks)] + threads


async def _stop(bot: Any, running: asyncio.Task[None]) -> None:
    await bot.close()
    await asyncio.wait([running])


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncGenerator[Scene]:
    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(Loopback())
        discord.redirect()
        chat = await stack.enter_async_context(Chat())
        yield Scene(stack, discord, chat, tmp_path)
        if discord.unknown_routes:
            pytest.fail(f"routes that the loopback does not know: {discord.unknown_routes}")
