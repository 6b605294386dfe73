"""PromptCog: messages become prompts; `/prompt` says where, and as whom they are answered."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import core

if getattr(core, "PARLEY", None) != "parley":
    raise ImportError(f"Parley's cogs need Parley's package “core”, but Python found another: {core.__file__}.")

import discord
from discord import app_commands
from discord.ext import commands

from core.bot import message_text
from core.bot.cog import ParleyCog, subcommand
from core.bot.replies import NO_PINGS, answer
from core.conversation.gather import Gather
from core.conversation.live_text import LiveText
from core.conversation.turn import Prompt
from core.errors import ParleyError
from core.names import shown_text
from core.voice.checks import prompt_trouble

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from core.voice.session import VoiceSession

_log = logging.getLogger(__name__)

CHANNEL_SET = "Prompts are now typed in {channel}."
CHANNEL_OFF = (
    "This server has no prompt channel of its own any more. A voice session takes prompts where it was asked for."
)
CLEARED = "I have forgotten what was said in {channel}."
PERSONA_SET = "From now on I am: {persona}"
PERSONA_RESET = "I am back to my configured self."
PERSONA_NOW = "I am: {persona}"
EMPTY_PROMPT = "Yes?"
NO_MODEL = (
    "I have no language model, so I cannot answer. In a voice channel I read aloud what is written in the prompt channel: "
    "`/voice join`."
)
LOCKED_AGAIN = "Another session began before the answer did."
AGAIN_S = 60.0  # the same refusal is not said again in a channel within
NO_HISTORY = 160002  # Discord's code for: a reply needs the permission to read what it replies to
TEXT = "text"  # the feature that LockdownCog registers for replies in other channels
NO_CONTENT = (
    "this bot is made without the intent “message_content”: Discord shows it only messages that mention it, and direct "
    "messages, so that nothing else can be answered or read aloud"
)


class PromptCog(ParleyCog, name="Prompt"):
    """Turns messages into prompts."""

    needed_intents = ("guilds", "voice_states", "messages")

    def __init__(self, bot: commands.Bot) -> None:
        super().__init__(bot)
        self._channels: dict[int, int] = {}
        self._explained: set[int] = set()
        self._refused: dict[int, tuple[str, float]] = {}  # by channel, what was last said of a prompt, and when

    async def cog_load(self) -> None:
        """Attach, and read which channels are prompt channels."""
        await super().cog_load()
        section = self.runtime.config.prompt
        self._gather = Gather(self._take, self.runtime.clock, idle_s=section.gather_idle_s, max_s=section.gather_max_s)
        self._messages: dict[tuple[int, int], list[discord.Message]] = {}
        self._channels = await self.runtime.settings.prompt_channels()
        if not self.bot.intents.message_content:
            _log.warning(NO_CONTENT)
        self.close_on_unload(self._gather.flush)  # turns under way go on
        self.take_messages(self.take_up)

    # Messages ---------------------------------------------------------------------------------------------------------

    async def take_up(self, message: discord.Message) -> None:
        """Take up a message that is meant for the bot; the runtime hands over each one."""
        if message.author.bot or message.webhook_id or message.type not in _WRITTEN or not self._may_ask(message):
            return
        session = self._session_for(message)
        addressed = self._addresses_me(message)
        listens = self._listens_to(message)
        if session is None and not addressed and not listens:
            return
        if message.flags.silent and not addressed:
            return
        if await self._is_command(message) or await self.runtime.messages.claimed(message):
            return
        if not self.runtime.conversation.has_model and session is None and not (listens and self._voice_for(message)):
            if addressed:
                await self._explain_silence(message)
            return
        prompt = self._prompt_of(message)
        if not prompt.text and not prompt.attachments:
            return
        if await self._waits(message):
            return
        key = (message.channel.id, message.author.id)
        self._messages.setdefault(key, []).append(message)
        self.runtime.conversation.written.add(message.id)
        await self._gather.add(prompt)

    async def _explain_silence(self, message: discord.Message) -> None:
        """Say once in each channel why nobody answers there."""
        if message.channel.id not in self._explained:
            self._explained.add(message.channel.id)
            await _tell(message, NO_MODEL)

    async def answer_now(self, message: discord.Message) -> None:
        """Answer a message that waited for the end of a session, in text; return when the answer is out.

        Raises:
            ParleyError: It has to wait on: another session has begun, or too much is in line.
        """
        conversation = self.runtime.conversation

        async def put_off() -> bool:
            return self.runtime.lockdown.locked(TEXT, guild_id=message.guild.id if message.guild else None)

        sink = LiveText(_Reply(message), self.runtime.clock)
        turn = await conversation.submit(self._prompt_of(message), sink, put_off=put_off)
        await conversation.finished(turn)
        if turn.outcome == "silent":
            raise ParleyError(LOCKED_AGAIN)

    @commands.Cog.listener()
    async def on_typing(
        self, channel: discord.abc.Messageable, user: discord.User | discord.Member, when: datetime
    ) -> None:
        """Somebody who is still typing has not finished the thought."""
        del when
        self._gather.typing(getattr(channel, "id", 0), user.id)

    async def _take(self, prompt: Prompt) -> None:
        """A prompt is complete: put it in line, acknowledge it, or say why not."""
        messages = self._messages.pop((prompt.channel_id, prompt.author_id), [])
        if not messages:
            return
        last = messages[-1]
        if await self._waits(*messages):  # a session began while they were gathered
            return
        session = self._voice_for(last)
        conversation = self.runtime.conversation
        written = conversation.written

        def renew() -> Prompt | None:
            return self._as_it_is_now(messages)

        now = renew()
        if now is None:
            return
        try:
            if not conversation.has_model:
                turn = await conversation.read_aloud(now, session, renew=renew) if session else None
                if turn is None:
                    return
            else:
                sink = LiveText(_Reply(last), self.runtime.clock)
                turn = await conversation.submit(
                    now, sink, session=session, put_off=lambda: self._waits(*messages), renew=renew
                )
        except ParleyError as error:
            told = _kind_of(error.sentence), self.runtime.clock.monotonic()
            before = self._refused.get(last.channel.id, ("", 0.0))
            if before[0] != told[0] or told[1] - before[1] > AGAIN_S:
                self._refused[last.channel.id] = told
                await _tell(last, error.sentence)
            return
        if turn.task is not None:
            turn.task.add_done_callback(lambda _: written.drop(message.id for message in messages))
        await self._acknowledge(last)

    def _as_it_is_now(self, messages: Sequence[discord.Message]) -> Prompt | None:
        """What messages say by now; None if nothing is left of them."""
        written = self.runtime.conversation.written
        current = [written.now(message.id, message) for message in messages]
        prompts = [self._prompt_of(message) for message in current if message is not None]
        prompts = [prompt for prompt in prompts if prompt.text or prompt.attachments]
        joined = prompts[0] if prompts else None
        for later in prompts[1:]:
            joined = joined.joined(later) if joined else later
        return joined

    @commands.Cog.listener()
    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """What waits for its turn is taken as it is then."""
        self.runtime.conversation.written.changed(payload.message_id, payload.message)

    @commands.Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """What was deleted before its turn is neither read nor answered."""
        self.runtime.conversation.written.changed(payload.message_id, None)

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Several were deleted at once."""
        for message_id in payload.message_ids:
            self.runtime.conversation.written.changed(message_id, None)

    async def _waits(self, *messages: discord.Message) -> bool:
        """Whether messages have to wait until the machine is free again; if so, they are kept."""
        last = messages[-1]
        if self._session_for(last) is not None or self._voice_for(last) is not None:
            return False
        free = [message for message in messages if await self.runtime.lockdown.allows(TEXT, message)]
        if len(free) == len(messages):
            return False
        for message in free:  # the session ended between two of them
            await self.take_up(message)
        return True

    async def _acknowledge(self, message: discord.Message) -> None:
        emoji = self.runtime.config.prompt.acknowledge
        if not emoji:
            return
        try:
            await message.add_reaction(emoji)
        except discord.HTTPException as error:  # no permission, or the message is gone: the reply still comes
            _log.info("a prompt could not be acknowledged: %s", error)

    def _voice_for(self, message: discord.Message) -> VoiceSession | None:
        """In voice if the author is in the bot's channel, else in text."""
        session = self.runtime.voice.session(message.guild.id) if message.guild else None
        if session is None or message.author.id not in session.channel.voice_states:
            return None
        return session

    def _prompt_of(self, message: discord.Message) -> Prompt:
        text, sent = message_text.words(message, self.bot.user), message_text.sent(message)
        if not text and not sent and self._addresses_me(message) and self.runtime.conversation.has_model:
            text = EMPTY_PROMPT
        return Prompt(
            conversation_id=message.channel.id,
            guild_id=message.guild.id if message.guild else None,
            channel_id=message.channel.id,
            author_id=message.author.id,
            author_name=message.author.display_name,
            text=text,
            attachments=sent,
            about=message_text.answered(message),
        )

    def _may_ask(self, message: discord.Message) -> bool:
        section = self.runtime.config.prompt
        if message.author.id in section.block_users:
            return False
        roles: Sequence[discord.Role] = getattr(message.author, "roles", [])
        return not section.allow_roles or any(role.id in section.allow_roles for role in roles)

    def _addresses_me(self, message: discord.Message) -> bool:
        section = self.runtime.config.prompt
        if message.guild is None:
            return section.direct_messages
        return section.mentions and message_text.calls(message, self.bot.user)

    def _session_for(self, message: discord.Message) -> VoiceSession | None:
        """The session that takes its prompts from where a message was written."""
        found = map(self.runtime.voice.session_of_prompt_channel, _places(message))
        return next((session for session in found if session is not None), None)

    def _listens_to(self, message: discord.Message) -> bool:
        guild_id = message.guild.id if message.guild else 0
        listened = {*self.runtime.config.prompt.channels, self._channels.get(guild_id)}
        return any(place in listened for place in _places(message))

    async def _is_command(self, message: discord.Message) -> bool:
        """A prefix command of the host's is not a prompt."""
        context = await self.bot.get_context(message)
        return context.valid

    # Commands ---------------------------------------------------------------------------------------------------------

    @subcommand("prompt", "channel", "Choose the text channel whose messages are prompts.")
    @app_commands.describe(channel="This one by default", off="Answer in none by itself any more")
    @app_commands.checks.has_permissions(manage_channels=True)
    async def channel(
        self, interaction: discord.Interaction, channel: discord.TextChannel | None = None, off: bool = False
    ) -> None:
        """Set the prompt channel of the guild and of its running session."""
        chosen = channel or interaction.channel
        if not isinstance(chosen, discord.abc.Messageable) or interaction.guild is None:
            raise ParleyError("Name a text channel of this server.")
        await interaction.response.defer(ephemeral=True, thinking=True)
        guild_id, channel_id = interaction.guild.id, getattr(chosen, "id", 0)
        kept = await self.runtime.settings.guild(guild_id)
        await self.runtime.settings.save_guild(replace(kept, prompt_channel_id=None if off else channel_id))
        if off:
            self._channels.pop(guild_id, None)
            await answer(interaction, CHANNEL_OFF)
            return
        self._channels[guild_id] = channel_id
        session = self.runtime.voice.session(guild_id)
        if session is not None:
            session.prompt_channel = chosen
        chosen_now = CHANNEL_SET.format(channel=f"<#{channel_id}>")
        await answer(interaction, "\n".join(part for part in (chosen_now, prompt_trouble(chosen)) if part))

    @subcommand("prompt", "clear", "Forget what was said in this channel.")
    @app_commands.checks.has_permissions(manage_messages=True)
    async def clear(self, interaction: discord.Interaction) -> None:
        """Clear the history of this channel."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.runtime.history.clear(interaction.channel_id or 0)
        await answer(interaction, CLEARED.format(channel=f"<#{interaction.channel_id}>"))

    @subcommand("prompt", "persona", "Show or set who the bot is on this server.")
    @app_commands.describe(text="A standing instruction for the model; “default” for the configured one")
    @app_commands.checks.has_permissions(manage_guild=True)
    async def persona(
        self, interaction: discord.Interaction, text: app_commands.Range[str, 1, 1500] | None = None
    ) -> None:
        """Set the persona of the guild."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        guild_id = interaction.guild_id or 0
        kept = await self.runtime.settings.guild(guild_id)
        configured = self.runtime.config.prompt.persona
        if text is None:
            await answer(interaction, PERSONA_NOW.format(persona=shown_text(kept.persona or configured, 4000)))
            return
        reset = text.strip().casefold() == "default"
        await self.runtime.settings.save_guild(replace(kept, persona=None if reset else text))
        await answer(interaction, PERSONA_RESET if reset else PERSONA_SET.format(persona=shown_text(text, 4000)))


_WRITTEN = (discord.MessageType.default, discord.MessageType.reply)


def _kind_of(sentence: str) -> str:
    """A sentence without its numbers: “8 wait” and “9 wait” are the same word twice."""
    return "".join(character for character in sentence if not character.isdigit())


def _places(message: discord.Message) -> tuple[int, ...]:
    """Where a message was written: its channel, and for a thread or a post of a forum the channel that it belongs to."""
    parent = message.channel.parent_id if isinstance(message.channel, discord.Thread) else None
    return (message.channel.id,) if parent is None else (message.channel.id, parent)


async def _reply(message: discord.Message, text: str) -> discord.Message:
    """Answer a message without pinging anybody; if it is gone, write to its channel."""
    reference = message.to_reference(fail_if_not_exists=False)
    try:
        return await message.channel.send(text, reference=reference, allowed_mentions=NO_PINGS, suppress_embeds=True)
    except discord.HTTPException as error:
        if error.code != NO_HISTORY:
            raise
    return await message.channel.send(text, allowed_mentions=NO_PINGS, suppress_embeds=True)


async def _tell(message: discord.Message, text: str) -> None:
    """Answer if Discord lets us."""
    try:
        await _reply(message, text)
    except discord.HTTPException as error:  # no permission: a bot sees many channels in which it may not write
        _log.info("the author of message %d could not be told: %s", message.id, error)


class _Shown:
    """A message of ours that is edited as the reply grows."""

    def __init__(self, message: discord.Message) -> None:
        self._message = message

    async def edit(self, text: str) -> None:
        """Replace the text."""
        await self._message.edit(content=text, allowed_mentions=NO_PINGS)


class _Reply:
    """Writes the reply: the first message answers the prompt, later ones follow it."""

    def __init__(self, prompt: discord.Message) -> None:
        self._prompt = prompt
        self._first = True

    async def post(self, text: str) -> _Shown:
        """Send a message."""
        if self._first:
            self._first = False
            return _Shown(await _reply(self._prompt, text))
        return _Shown(await self._prompt.channel.send(text, allowed_mentions=NO_PINGS, suppress_embeds=True))


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(PromptCog(bot))
