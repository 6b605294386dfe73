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
from core.bot.replies import answer
from core.bot.reply_poster import MessagePlace
from core.conversation.asked import Asked, Author
from core.conversation.turn import Prompt
from core.errors import ParleyError
from core.names import shown, shown_text
from core.voice.checks import prompt_trouble

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_log = logging.getLogger(__name__)

CHANNEL_SET = "Prompts are now typed in {channel}."
CHANNEL_OFF = (
    "This server has no prompt channel of its own any more. A voice session takes prompts where it was asked for."
)
CLEARED = "I have forgotten what was said in {channel}."
PERSONA_SET = "From now on I am: {persona}"
PERSONA_RESET = "I am back to my configured self."
PERSONA_NOW = "I am: {persona}"
RESTS = "While I am {name} here (`/persona use`), this rests."
EMPTY_PROMPT = "Yes?"
NO_CONTENT = (
    "this bot is made without the intent “message_content”: Discord shows it only messages that mention it, and direct "
    "messages, so that nothing else can be answered or read aloud"
)


class PromptCog(ParleyCog, name="Prompt"):
    """Turns messages into prompts."""

    needed_intents = ("guilds", "voice_states", "messages")

    async def cog_load(self) -> None:
        """Attach, and take messages."""
        await super().cog_load()
        if not self.bot.intents.message_content:
            _log.warning(NO_CONTENT)
        self.close_on_unload(self.runtime.intake.flush)  # turns under way go on
        self.until_unload(self.runtime.intake.answer_with(self.answer_now))
        self.take_messages(self.take_up)

    # Messages ---------------------------------------------------------------------------------------------------------

    async def take_up(self, message: discord.Message) -> None:
        """Take up a message that is meant for the bot; the runtime hands over each one."""
        if message.author.bot or message.webhook_id or message.type not in _WRITTEN:
            return

        async def claimed() -> bool:
            return await self._is_command(message) or await self.runtime.messages.claimed(message)

        await self.runtime.intake.take(self._asked(message), claimed)

    async def answer_now(self, message: discord.Message) -> None:
        """Answer a message that waited for the end of a session, in text; return when the answer is out.

        Raises:
            ParleyError: It has to wait on: another session has begun, or too much is in line.
        """
        await self.runtime.intake.answer(self._asked(message))

    def _asked(self, message: discord.Message) -> Asked:
        author, section = message.author, self.runtime.config.prompt
        roles: Sequence[discord.Role] = getattr(author, "roles", [])
        thread = message.channel if isinstance(message.channel, discord.Thread) else None
        calls = message.guild is None or message_text.calls(message, self.bot.user)
        calls = calls or self.runtime.webhooks.is_answered_by(message)
        return Asked(
            "written",
            Prompt(
                conversation_id=message.channel.id,
                guild_id=message.guild.id if message.guild else None,
                channel_id=message.channel.id,
                author_id=author.id,
                author_name=author.display_name,
                text=message_text.words(message, self.bot.user),
                attachments=message_text.sent(message),
                about=message_text.answered(message),
            ),
            (Author(author.id, frozenset(role.id for role in roles), author.bot),),
            MessagePlace(message, self.runtime.clock, section.acknowledge),
            parent_channel_id=thread.parent_id if thread is not None else None,
            mentions_me=calls,
            silent=message.flags.silent,
            called=EMPTY_PROMPT if calls else "",
            id=message.id,
            source=message,
        )

    async def _is_command(self, message: discord.Message) -> bool:
        """A prefix command of the host's is not a prompt."""
        context = await self.bot.get_context(message)
        return context.valid

    @commands.Cog.listener()
    async def on_typing(
        self, channel: discord.abc.Messageable, user: discord.User | discord.Member, when: datetime
    ) -> None:
        """Somebody who is still typing has not finished the thought."""
        del when
        self.runtime.intake.typing(getattr(channel, "id", 0), user.id)

    @commands.Cog.listener()
    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """What waits for its turn is taken as it is then."""
        if self.runtime.intake.watches(payload.message_id):
            self.runtime.intake.changed(payload.message_id, self._asked(payload.message))

    @commands.Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """What was deleted before its turn is neither read nor answered."""
        self.runtime.intake.changed(payload.message_id, None)

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Several were deleted at once."""
        for message_id in payload.message_ids:
            self.runtime.intake.changed(message_id, None)

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
        self.runtime.intake.listen_to(guild_id, None if off else channel_id)
        if off:
            await answer(interaction, CHANNEL_OFF)
            return
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
            told = PERSONA_NOW.format(persona=shown_text(kept.persona or configured, 4000))
            await answer(interaction, self._or_rests(guild_id, told))
            return
        reset = text.strip().casefold() == "default"
        await self.runtime.settings.save_guild(replace(kept, persona=None if reset else text))
        told = PERSONA_RESET if reset else PERSONA_SET.format(persona=shown_text(text, 4000))
        await answer(interaction, self._or_rests(guild_id, told))

    def _or_rests(self, guild_id: int, told: str) -> str:
        """What was told, behind that it does not show while a character is played: a long text is cut at its end."""
        sheet = self.runtime.persona.cast.active(guild_id)
        return f"{RESTS.format(name=shown(sheet.name))}\n{told}" if sheet is not None else told


_WRITTEN = (discord.MessageType.default, discord.MessageType.reply)


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(PromptCog(bot))
