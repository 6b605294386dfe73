"""What `/trainer train`, `test` and `route` do."""

from __future__ import annotations

import asyncio
import io
import logging
from typing import TYPE_CHECKING

import discord

from core.bot.replies import NO_PINGS
from core.bot.training_files import names_of
from core.errors import ParleyError, TrainingError
from core.llm.models import DEFAULT
from core.machine.lane import Owner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.bot.runtime import Runtime
    from core.training.provider import Method
    from core.training.trials import Trial

_log = logging.getLogger(__name__)

BEGUN = "{told}\nThat is sent to the provider of `{route}` now. How the job is stands in this channel."
NO_CHANNEL = "I may not write in this channel, so that nobody would see how the job is; begin it where I may."
NO_ROUTE = "There is no model route `{name}` for this server; there are: {known}."
ANSWERS = "`{name}` answers on this server from now on."
USUAL = "The usual model answers on this server from now on."
NOW = "On this server answers {now}. Trained here: {known}."
TESTING = "Testing: {done} of {count} questions…"
NOT_SENT = "The test is over, but I could send you its result nowhere."
SHOWN_EVERY_S = 3.0
FILE = "test-{name}.csv"


class TrainingRuns:
    """Training and testing on behalf of whoever manages a server."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._training = runtime.training

    async def train(
        self, interaction: discord.Interaction, guild: discord.Guild, name: str, base: str, method: Method
    ) -> str:
        """Begin a job; returns what to say.

        Raises:
            ParleyError: Nothing is sent; the sentence says why.
        """
        kept = await self._training.data_sets.find(guild.id, name)
        channel = interaction.channel
        if channel is None or isinstance(channel, (discord.DMChannel, discord.GroupChannel)):
            raise TrainingError(NO_CHANNEL)
        rights = interaction.app_permissions
        writes = rights.send_messages_in_threads if isinstance(channel, discord.Thread) else rights.send_messages
        if not writes or not rights.view_channel:
            raise TrainingError(NO_CHANNEL)
        owner, names = Owner(guild.id, interaction.user.id), names_of(guild, interaction.user)
        job, told = await self._training.jobs.begin(kept, base, method, owner, channel.id, names)
        return BEGUN.format(told=told, route=job.route)

    # Testing ----------------------------------------------------------------------------------------------------------

    def routes(self, guild_id: int) -> Sequence[str]:
        """The routes that a server may use: those of the settings, and those that it had trained; never another's."""
        return [*self._runtime.config.model.routes, *self._training.routes.of(guild_id)]

    def _route(self, guild_id: int, name: str) -> str:
        known = self.routes(guild_id)
        if name not in known:
            raise TrainingError(NO_ROUTE.format(name=name[:60].replace("`", ""), known=", ".join(known) or "none"))
        return name

    async def test(
        self,
        interaction: discord.Interaction,
        guild: discord.Guild,
        name: str,
        route: str | None,
        against: str | None,
        judge: str | None,
    ) -> None:
        """Test one or two routes and send what came of it to whoever asked, however long it takes.

        Raises:
            ParleyError: There is nothing to test, or nothing answered.
        """
        kept = await self._training.data_sets.find(guild.id, name)
        first = self._route(guild.id, route or self._training.routes.chosen(guild.id) or DEFAULT)
        routes = [first, self._route(guild.id, against)] if against else [first]
        wanted = judge or self._training.section.judge_route or DEFAULT
        judging = "" if judge == "-" else self._route(guild.id, wanted)
        shown = _Shown(interaction, self._runtime)
        try:
            trial = await self._training.trials.run(
                kept,
                routes,
                judging,
                Owner(guild.id, interaction.user.id),
                names=names_of(guild, interaction.user),
                progressed=shown.progressed,
            )
        except ParleyError as error:
            _log.info("a test came to nothing: %s", error.sentence, exc_info=error.__cause__)
            await shown.say(error.sentence)
            return
        note = await self._training.handing_out.handed(kept, "test", interaction.user.id, trial.people)
        if not await shown.send(trial, FILE.format(name=kept.id)):
            await self._training.handing_out.not_handed(note)

    # Routes -----------------------------------------------------------------------------------------------------------

    async def choose(self, guild: discord.Guild, name: str | None) -> str:
        """Show which route answers on a server, or choose it; returns what to say.

        Raises:
            TrainingError: There is none of that name.
        """
        routes = self._training.routes
        if name is None:
            known = ", ".join(f"`{each}`" for each in routes.of(guild.id)) or "none yet"
            now = routes.chosen(guild.id)
            return NOW.format(now=f"`{now}`" if now else "the usual model", known=known)
        usual = name in ("-", DEFAULT)
        await routes.choose(guild.id, None if usual else name)
        return USUAL if usual else ANSWERS.format(name=name)


class _Shown:
    """The answer to a command that may outlive it: then it comes as a direct message."""

    def __init__(self, interaction: discord.Interaction, runtime: Runtime) -> None:
        self._interaction = interaction
        self._runtime = runtime
        self._last_s = runtime.clock.monotonic()
        self._editing = asyncio.Lock()
        self._over = False

    def progressed(self, done: int, count: int) -> None:
        """So many questions of so many were asked; shown every few seconds."""
        now_s = self._runtime.clock.monotonic()
        if now_s - self._last_s >= SHOWN_EVERY_S and done < count:
            self._last_s = now_s
            self._runtime.tasks.start(
                self._edit(TESTING.format(done=done, count=count)), f"test {self._interaction.id}"
            )

    async def say(self, text: str) -> bool:
        """Say it as the answer, or by direct message; whether either was possible."""
        await self._end()
        return await self._edit(text) or await self._direct(text, [])

    async def send(self, trial: Trial, name: str) -> bool:
        """Send a result with its table; whether that was possible."""
        await self._end()
        file = discord.File(io.BytesIO(trial.table), filename=name)
        if await self._edit(trial.told, [file]):
            return True
        return await self._direct(trial.told, [discord.File(io.BytesIO(trial.table), filename=name)])

    async def _end(self) -> None:
        """What is shown from now on stays."""
        async with self._editing:
            self._over = True

    async def _edit(self, text: str, files: Sequence[discord.File] = ()) -> bool:
        try:
            await self._interaction.edit_original_response(content=text, attachments=files, allowed_mentions=NO_PINGS)
        except discord.HTTPException as error:  # fifteen minutes are over, or it is too large
            _log.info("the answer to a test cannot be changed: %s", error)
            return False
        return True

    async def _direct(self, text: str, files: Sequence[discord.File]) -> bool:
        try:
            await self._interaction.user.send(text, files=files, allowed_mentions=NO_PINGS)
        except discord.HTTPException as error:
            _log.warning("%s %s", NOT_SENT, error)
            return False
        return True
