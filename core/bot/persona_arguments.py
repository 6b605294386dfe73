"""Arguments in Discord: where the two stand, what starts one, and what ends it."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

import aiohttp
import discord

from core.bot.persona_second_self import PREFIX
from core.bot.replies import NO_PINGS
from core.bot.webhooks import CHANNEL_GONE, WebhookError
from core.conversation.pages import split
from core.errors import ParleyError
from core.names import shown
from core.persona.arguments import FEATURE, Argument, Side, described
from core.privacy.owners import About
from core.store.history import HistoryEntry
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from typing import Any

    from core.bot.persona_second_self import SecondSelf
    from core.bot.webhooks import Webhooks
    from core.character import Character
    from core.config.persona import ArgumentsSection
    from core.conversation.advice import Advice
    from core.conversation.memory import ConversationMemory
    from core.conversation.turn import Turn
    from core.events import FeatureLocked, TurnEnded
    from core.persona.arguments import Arguments, Ended
    from core.privacy.consent import Consent
    from core.privacy.owners import Person
    from core.store.decisions import Decision

_log = logging.getLogger(__name__)

STARTED = "We argue about it now, {lines} lines at most. Anybody ends it with `/persona stop`."
PREFIXED = "My second self has no webhook here, so I say its lines with its name in front: {reason}"
STOPPED = "We stop arguing."
NOTHING = "Nobody is arguing here."
SAME = "I am {name} here already, and cannot argue with myself: name another in [persona.arguments] second."
NOT_HERE = "I cannot argue here: this is no text channel of a server."
NO_WRITER = "You may not write in this channel, so we do not argue in it for you."
NOT_ALLOWED = "I may not write in {channel}: there I need the permissions “View Channel” and “Send Messages”."
UNSENT = "Discord did not take my line."
LATEST_KEPT = 200  # prompts whose turns are under way


class ChannelScene:
    """The `Scene` of a text channel: the bot speaks as itself, its second self through the channel's webhook."""

    def __init__(
        self,
        channel: discord.abc.Messageable,
        webhooks: Webhooks,
        second: SecondSelf,
        character: Character,
        *,
        prefix: bool,
    ) -> None:
        """Takes the place, how the second self speaks, how it looks, who it is, and whether the bot may speak for it."""
        self._channel = channel
        self._webhooks = webhooks
        self._second = second
        self._may_prefix = prefix
        self._character = character
        self.prefixed: WebhookError | None = None

    async def prepare(self) -> None:
        """See to it that both can speak.

        Raises:
            ParleyError: They cannot.
        """
        channel = _of_server(self._channel)
        granted = channel.permissions_for(channel.guild.me)
        sends = granted.send_messages_in_threads if isinstance(channel, discord.Thread) else granted.send_messages
        if not granted.view_channel or not sends:
            raise ParleyError(NOT_ALLOWED.format(channel=channel.mention))
        try:
            await self._webhooks.prepare(self._channel)
        except WebhookError as error:
            self._without(error)

    async def typing(self) -> None:
        """Show that somebody types."""
        try:
            await self._channel.typing()
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            _log.debug("typing could not be shown: %s", error)

    async def say(self, speaker: Character, text: str) -> None:
        """Say a line.

        Raises:
            ParleyError: It cannot be said.
        """
        line = split(text)[0]
        if speaker is not self._character:
            await self._send(line)
            return
        if self.prefixed is not None:
            await self._send(PREFIX.format(name=shown(speaker.name)) + line)
            return
        face = await self._second.face(getattr(getattr(self._channel, "guild", None), "id", None))
        try:
            await self._webhooks.send(self._channel, face, line)
        except WebhookError as error:
            self._without(error)
            await self.say(speaker, text)

    async def tell(self, sentence: str) -> None:
        """Say why it ends, if that is possible."""
        try:
            await self._send(sentence)
        except ParleyError as error:
            _log.info("that an argument ends could not be told: %s", error.sentence)

    def _without(self, error: WebhookError) -> None:
        if error.gone or not self._may_prefix:
            raise error
        _log.info("an argument goes on without a webhook: %s", error.sentence)
        self.prefixed = error

    async def _send(self, text: str) -> None:
        try:
            await self._channel.send(text, allowed_mentions=NO_PINGS, suppress_embeds=True)
        except discord.NotFound as error:
            raise WebhookError(CHANNEL_GONE, gone=True) from error
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            raise ParleyError(UNSENT) from error


class PersonaArguments:
    """What `/persona argue` and `/persona stop` do, and what starts arguments by itself. One adviser of every turn."""

    def __init__(
        self,
        section: ArgumentsSection,
        *,
        arguments: Arguments,
        second: SecondSelf,
        webhooks: Webhooks,
        first: Callable[[int], Coroutine[Any, Any, Side]],
        consent: Consent,
    ) -> None:
        """Nothing starts by itself before turns are advised.

        Args:
            section: `[persona.arguments]`.
            arguments: Carries them.
            second: Who contradicts.
            webhooks: How it speaks.
            first: Who the bot is on a server.
            consent: What people decided: words of who refuses to be observed start nothing.
        """
        self._section = section
        self.arguments = arguments
        self.second = second
        self._webhooks = webhooks
        self._first = first
        self._consent = consent
        self._prompts: dict[str, tuple[int, str]] = {}
        self._tasks = Tasks("heated talks")

    async def argue(self, channel: object, topic: str, person_id: int, *, asked: bool = True) -> str:
        """Start an argument; returns what to tell whoever asked.

        Args:
            channel: Where.
            topic: What about.
            person_id: Whose words the topic is.
            asked: Whether they asked for it.

        Raises:
            ParleyError: It cannot be; the sentence says why.
        """
        guild = getattr(channel, "guild", None)
        if not isinstance(channel, discord.abc.Messageable) or guild is None:
            raise ParleyError(NOT_HERE)
        second = self.second.character(guild.id)
        scene = ChannelScene(
            channel,
            self._webhooks,
            self.second,
            second,
            prefix=self._section.without_webhook == "prefix",
        )
        first = await self._first(guild.id)
        if first.character.id == second.id:
            raise ParleyError(SAME.format(name=shown(second.name)))
        sides = (side(second), first)
        argument = Argument(guild.id, getattr(channel, "id", 0), topic, sides, scene, person_id, asked=asked)
        await self.arguments.start(argument)
        told = STARTED.format(lines=self._section.lines)
        return told if scene.prefixed is None else f"{told}\n{PREFIXED.format(reason=scene.prefixed.sentence)}"

    def stop(self, guild_id: int) -> str:
        """End the argument of a server; returns what to tell."""
        return STOPPED if self.arguments.stop(guild_id) else NOTHING

    def lines(self, guild_id: int) -> list[str]:
        """What `/persona status` tells of a server."""
        running = self.arguments.running(guild_id)
        return [described(running)] if running is not None else []

    # By itself --------------------------------------------------------------------------------------------------------

    async def advise(self, turn: Turn) -> Advice | None:
        """Note who provokes; who answers is the second self's own advice."""
        prompt = turn.prompt
        if prompt.guild_id is None or turn.aloud:
            return None
        for line in prompt.spoken:
            if not self._consent.refused("observed", line.user_id):
                self.arguments.heard(prompt.channel_id, str(line.user_id), line.text)
                while len(self._prompts) >= LATEST_KEPT:
                    del self._prompts[next(iter(self._prompts))]
                self._prompts[turn.id] = line.user_id, line.text
        return await self.second.advise(turn)

    async def turn_ended(self, event: TurnEnded) -> None:
        """Note what one of the two said; start an argument if that was enough."""
        author_id, topic = self._prompts.pop(event.turn_id, (0, ""))
        if event.outcome not in ("spoken", "text"):
            return
        enough = self.arguments.heard(event.channel_id, event.character_id, event.heard_text or event.reply_text)
        if not enough or not topic or self._consent.refused("observed", author_id):
            return
        self._tasks.start(self._begin(event.channel_id, topic, author_id), f"begin {event.channel_id}")

    async def _begin(self, channel_id: int, topic: str, author_id: int) -> None:
        try:
            await self.argue(self._webhooks.channel(channel_id), topic, author_id, asked=False)
        except ParleyError as error:  # nobody asked for it
            _log.info("no argument in %d: %s", channel_id, error.sentence)
            self.arguments.rest(channel_id)

    async def end(self) -> None:
        """End what there is, and let nothing begin that is about to."""
        await self._tasks.cancel_all()
        await self.arguments.end_all()
        self._prompts.clear()

    # People -----------------------------------------------------------------------------------------------------------

    async def describe_person(self, person: Person) -> About:
        """Nothing is kept of anybody but for a moment."""
        del person
        return About()

    async def export_person(self, person: Person) -> Mapping[str, bytes]:
        """Nothing is kept of anybody but for a moment."""
        del person
        return {}

    async def delete_person(self, person: Person) -> Sequence[str]:
        """End an argument about what they said, and forget that they provoked."""
        self._forget(person.id)
        return ()

    async def decided(self, user_id: int, decision: Decision | None) -> str:
        """Let nothing of what somebody said go on who refuses to be observed."""
        if decision == "out":
            self._forget(user_id, asked=False)
        return ""

    def _forget(self, user_id: int, *, asked: bool = True) -> None:
        self._prompts = {turn: (who, text) for turn, (who, text) in self._prompts.items() if who != user_id}
        self.arguments.forget(user_id, asked=asked)

    async def locked(self, event: FeatureLocked) -> None:
        """End every argument when a session needs the bot, or its owner says so."""
        if event.feature == FEATURE:
            self.arguments.stop_all()

    async def channel_gone(self, channel: discord.abc.GuildChannel | discord.Thread) -> None:
        """End the argument of a channel that was deleted."""
        self.arguments.channel_gone(channel.id)

    async def server_left(self, guild: discord.Guild) -> None:
        """End the argument of a server that the bot has left."""
        self.arguments.stop(guild.id)


def side(character: Character) -> Side:
    """One of the two, as it feels at the moment."""
    feels = character.mood.told if character.mood is not None else ""
    return Side(character, "\n".join(part for part in (character.instruction, feels) if part))


def require_writer(interaction: discord.Interaction) -> None:
    """Let only those start something here who may write here: in a channel for announcements a command is no way around that.

    Raises:
        ParleyError: They may not.
    """
    granted = interaction.permissions
    thread = isinstance(interaction.channel, discord.Thread)
    if not (granted.send_messages_in_threads if thread else granted.send_messages):
        raise ParleyError(NO_WRITER)


def _of_server(channel: object) -> discord.abc.GuildChannel | discord.Thread:
    if not isinstance(channel, discord.abc.GuildChannel | discord.Thread):
        raise ParleyError(NOT_HERE)
    return channel


def remembering(memory: ConversationMemory) -> Ended:
    """Remembers what both said where they said it, so that they can be asked about it."""

    async def remember(argument: Argument) -> None:
        exchange = memory.begin(argument.channel_id, (argument.person_id,))
        turn_id = secrets.token_hex(6)
        lines = [
            HistoryEntry(turn_id, "assistant", text, exchange.asked_at, None, who.name, who.id)
            for who, text in argument.said
        ]
        try:
            await memory.keep(exchange, lines)
        finally:
            memory.end(exchange)

    return remember
