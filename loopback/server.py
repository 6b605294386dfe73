"""A whole Discord on localhost: world, REST, gateway and voice in one object."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from aiohttp import web

from loopback.gateway.gateway import Gateway
from loopback.gateway.voice_bridge import VoiceBridge
from loopback.interactions.command_registry import CommandRegistry
from loopback.interactions.lifecycle import Interactions
from loopback.people.redirect import Redirect
from loopback.rest import cdn
from loopback.rest.app import LOOPBACK, MAX_BODY_BYTES, PREFIX, make_api
from loopback.rest.faults import Faults
from loopback.rest.limits import RateLimits
from loopback.rest.routes import TABLES
from loopback.voice.certificates import Certificates
from loopback.voice.server import VoiceServer
from loopback.world.permissions import Permission
from loopback.world.world import World

if TYPE_CHECKING:
    from types import TracebackType

    from loopback.people.person import Person
    from loopback.world.guilds import Channel, Guild
    from loopback.world.users import User

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Standard:
    """The guild most uses want; `bot` is an administrator of it, not its owner."""

    guild: Guild
    text: Channel
    voice: Channel
    bot: User


class Loopback:
    """Starts and stops everything; an async context manager.

    Args:
        folder: Where the private CA is written; a temporary folder of its own by default.
        voice: Whether there is a voice server behind the voice channels.
        port: The port of REST, gateway and CDN; 0 takes a free one.

    Attributes:
        rest: `http://127.0.0.1:PORT/api/v10`, once started.
        gateway: `ws://127.0.0.1:PORT`, once started.
        sessions: The main gateway itself.
        unknown_routes: Requests that no route answers, as `METHOD /path`.
    """

    certificates: Certificates
    voice: VoiceServer

    def __init__(self, *, folder: Path | None = None, voice: bool = True, port: int = 0) -> None:
        self.world = World()
        self.sessions = Gateway(self.world)
        self.faults = Faults(self.sessions)
        self.limits = RateLimits()
        self.registry = CommandRegistry(self.world.ids.next)
        self.interactions = Interactions(self.world, self.sessions.dispatch_to_application)
        self.unknown_routes: list[str] = []
        self.rest = ""
        self.gateway = ""
        self._folder = folder
        self._with_voice = voice
        self._port = port
        self._redirect = Redirect()
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._people: list[Person] = []
        self._runner: web.AppRunner | None = None
        self._bridge: VoiceBridge | None = None

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except OSError:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Make the certificates and listen."""
        if self._folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="loopback-")
            self._folder = Path(self._temporary.name)
        self.certificates = await asyncio.to_thread(Certificates.create, self._folder)
        if self._with_voice:
            self.voice = VoiceServer(self.certificates, host=HOST)
            await self.voice.start()
            self._bridge = VoiceBridge(self.world, self.sessions, self.voice)
            self._bridge.start()
        await self._listen()

    async def close(self) -> None:
        """Log people out, send discord.py back where it was, end every connection, remove the temporary folder."""
        for person in self._people:
            await person.close()
        self._people.clear()
        self._redirect.restore()
        await self.sessions.close()
        if self._bridge is not None:
            await self._bridge.close()
            await self.voice.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._temporary is not None:
            self._temporary.cleanup()

    def connector(self) -> aiohttp.TCPConnector:
        """A new connector that trusts the private CA, for `discord.Client(connector=...)`."""
        return aiohttp.TCPConnector(ssl=self.certificates.client_context(), limit=0)

    def redirect(self) -> None:
        """Point the discord.py of this process here until `close`."""
        cdn = self.world.messages.cdn
        self._redirect.to(rest=self.rest, gateway=self.gateway, cdn=cdn)

    def standard(self) -> Standard:
        """A guild with a text channel "general", a voice channel "Lounge" and a bot that is an administrator."""
        guild = self.world.add_guild("Localhost")
        text = self.world.add_text_channel(guild, "general")
        voice = self.world.add_voice_channel(guild, "Lounge")
        bot = self.world.add_user("parley", bot=True)
        role = self.world.add_role(guild, "bot", Permission.ADMINISTRATOR)
        self.world.add_member(guild, bot, [role])
        return Standard(guild, text, voice, bot)

    async def person(self, name: str, guild: Guild, **options: Any) -> Person:
        """Somebody who uses a client in this guild, until `close`; the options are those of `Person.create`."""
        from loopback.people.person import Person  # brings a whole voice client, which a server alone does not need

        person = await Person.create(self, name, guild, **options)
        self._people.append(person)
        return person

    async def _listen(self) -> None:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app[LOOPBACK] = self
        app.router.add_get("/", self.sessions.handle)
        app.add_routes(cdn.routes)
        app.add_subapp(PREFIX, make_api(self, TABLES))
        self._runner = runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, HOST, self._port).start()
        port = runner.addresses[0][1]
        self.rest = f"http://{HOST}:{port}{PREFIX}"
        self.gateway = self.sessions.url = f"ws://{HOST}:{port}"
        self.world.messages.cdn = f"http://{HOST}:{port}"
