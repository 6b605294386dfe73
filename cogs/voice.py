"""VoiceCog: join, speak, play, and say how it is going."""

from __future__ import annotations

from typing import TYPE_CHECKING

import core

if getattr(core, "PARLEY", None) != "parley":
    raise ImportError(f"Parley's cogs need Parley's package “core”, but Python found another: {core.__file__}.")

import discord
from discord import app_commands

from core.bot.checks import owns
from core.bot.cog import ParleyCog, subcommand
from core.bot.replies import NO_PINGS, answer
from core.bot.spoken_voice import SpokenVoice, skip, stop
from core.bot.voice_rights import require_say
from core.conversation.voice_preferences import describe
from core.discord_limits import MESSAGE_LIMIT
from core.errors import AudioError, VoiceError
from core.names import plain, shown
from core.voice.checks import prompt_trouble

if TYPE_CHECKING:
    from discord.ext import commands

    from core.voice.checks import VoiceRoom
    from core.voice.session import VoiceSession

JOINED = "I am in {channel}. Write here, and I will {do}."
ANSWER, READ = "answer aloud", "read it aloud"
LEFT = "I left {channel}."
SAYING = "Saying it."
PLAYING = "Playing **{title}**{after}."
STOPPED = "Stopped{count}."
NOTHING = "I was not saying or playing anything."
VOLUME = "Volume is {volume:.0%}."
VOICE_SET = "Your messages are read with {how}."
LISTENS = "I listen to what is said in the channel."
LISTENS_NOT = "I do not listen to what is said in the channel."
CAPTIONS = "What is said is written down in {channel}."
CAPTIONS_OFF = "What is said here is not written down."
LISTENS_NO_MORE = "I do not listen to what is said here any more."
SERVER_ONLY = "This works in a server only."
NOT_YOURS = "You may not join {channel}, so you cannot send me there."
NOT_IN_VOICE = "You are in no voice channel. Join one, or name one: `/voice join channel:`."

Text = app_commands.Range[str, 1, MESSAGE_LIMIT]


class VoiceCog(ParleyCog, name="Voice"):
    """Commands of the voice session."""

    async def cog_load(self) -> None:
        """Attach, and take what people say to the bot."""
        await super().cog_load()
        for command, carry in SpokenVoice(self.runtime).commands().items():
            self.take_spoken(command, carry)

    # Sessions ---------------------------------------------------------------------------------------------------------

    @subcommand("voice", "join", "Join your voice channel, or the one you name; prompts are typed here.")
    @app_commands.describe(channel="Which voice channel; yours by default")
    async def join(
        self, interaction: discord.Interaction, channel: discord.VoiceChannel | discord.StageChannel | None = None
    ) -> None:
        """Start a session; this text channel becomes its prompt channel."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        room = channel or self._channel_of(interaction)
        if not room.permissions_for(self._member(interaction)).connect:
            raise VoiceError(NOT_YOURS.format(channel=room.mention))
        prompt_channel = interaction.channel if isinstance(interaction.channel, discord.abc.Messageable) else None
        session = await self.runtime.voice.join(room, prompt_channel=prompt_channel, started_by=interaction.user.id)
        do = ANSWER if self.runtime.conversation.has_model else READ
        joined = JOINED.format(channel=session.channel.mention, do=do)
        await answer(interaction, "\n".join(part for part in (joined, prompt_trouble(interaction.channel)) if part))

    @subcommand("voice", "leave", "Leave the voice channel.")
    async def leave(self, interaction: discord.Interaction) -> None:
        """End the session."""
        session = self._session(interaction)
        self._require_say(interaction, session)
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.runtime.voice.leave(session.guild.id)
        await answer(interaction, LEFT.format(channel=session.channel.mention))

    @subcommand("voice", "status", "Show what the voice session is doing.")
    async def status(self, interaction: discord.Interaction) -> None:
        """Show channel, people, encryption, engine, model, latency and queue; to the bot's owner the process too."""
        session = self._session(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        whole = await owns(interaction)
        if whole:
            await self.runtime.usage.look()  # a driver that sleeps takes seconds to answer
        embed = discord.Embed(title="Voice session", colour=discord.Colour.blurple())
        for field in self.runtime.status(session.guild.id, whole=whole):
            embed.add_field(name=field.title, value=field.value, inline=field.inline)
        await interaction.followup.send(embed=embed, ephemeral=True, allowed_mentions=NO_PINGS)

    @subcommand("voice", "listen", "Show or set whether I listen to what is said here, and answer it.")
    @app_commands.describe(on="Whether to listen; everybody in the channel is told")
    async def listen(self, interaction: discord.Interaction, on: bool | None = None) -> None:
        """Begin or end hearing, for this session."""
        session, hearing = self._session(interaction), self.runtime.voice_hearing
        if on is not None:
            self._require_say(interaction, session)
            await interaction.response.defer(ephemeral=True, thinking=True)
            if on:
                await hearing.start(session)
            elif await hearing.stop(session):
                await session.notice(LISTENS_NO_MORE)
        await answer(interaction, LISTENS if hearing.hears(session) else LISTENS_NOT)

    @subcommand("voice", "captions", "Show or set whether I write down what is said here, as it is said.")
    @app_commands.describe(on="Whether to write captions; everybody in the channel is told")
    async def captions(self, interaction: discord.Interaction, on: bool | None = None) -> None:
        """Begin or end captions, for this session."""
        session, captions = self._session(interaction), self.runtime.captions
        if on is not None:
            self._require_say(interaction, session)
            await interaction.response.defer(ephemeral=True, thinking=True)
            await (captions.start(session) if on else captions.stop(session))
        place = captions.place(session)
        await answer(
            interaction, CAPTIONS_OFF if place is None else CAPTIONS.format(channel=f"<#{getattr(place, 'id', 0)}>")
        )

    # Sound ------------------------------------------------------------------------------------------------------------

    @subcommand("voice", "say", "Say a text in the voice channel.")
    @app_commands.describe(text="What to say")
    async def say(self, interaction: discord.Interaction, text: Text) -> None:
        """Say a text as it is."""
        session = self._session(interaction)
        self._require_say(interaction, session)
        self.runtime.conversation.say(session, text, author_id=interaction.user.id)
        await answer(interaction, SAYING)

    async def _files(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        """Complete the names of the sounds folder, from memory."""
        del interaction
        return [
            app_commands.Choice(name=plain(name), value=name)
            for name in await self.runtime.music.matching(partial)
            if plain(name)
        ]

    @subcommand("voice", "play", "Play an uploaded sound, or one of the files of the sounds folder.")
    @app_commands.describe(upload="A sound or video file", file="A file of the sounds folder")
    @app_commands.autocomplete(file=_files)
    async def play(
        self, interaction: discord.Interaction, upload: discord.Attachment | None = None, file: str | None = None
    ) -> None:
        """Queue a file behind those that play."""
        session = self._session(interaction)
        self._require_say(interaction, session)
        if (upload is None) == (file is None):
            raise AudioError("Give one thing to play: upload a file, or pick one of the sounds folder.")
        await interaction.response.defer(ephemeral=True, thinking=True)
        waiting = len(session.media.tracks)
        if upload is not None:
            track = await self.runtime.music.play_upload(session, upload, by=interaction.user.id)
        else:
            track = await self.runtime.music.play_file(session, file or "", by=interaction.user.id)
        title = shown(track.title)
        await answer(interaction, PLAYING.format(title=title, after=f" after {waiting} other(s)" if waiting else ""))

    @subcommand("voice", "stop", "Stop speaking and playing, and drop what waits.")
    async def stop(self, interaction: discord.Interaction) -> None:
        """Cut everything."""
        session = self._session(interaction)
        self._require_say(interaction, session)
        count = stop(self.runtime, session, interaction.user, interaction.permissions)
        await answer(interaction, STOPPED.format(count=f" {count}" if count > 1 else "") if count else NOTHING)

    @subcommand("voice", "skip", "Skip what is being said, or else what is being played.")
    async def skip(self, interaction: discord.Interaction) -> None:
        """Cut one thing; the next goes on."""
        session = self._session(interaction)
        self._require_say(interaction, session)
        skipped = skip(self.runtime, session, interaction.user, interaction.permissions)
        await answer(interaction, "Skipped." if skipped else NOTHING)

    @subcommand("voice", "volume", "Show or set how loud the bot is.")
    @app_commands.describe(percent="0 to 200; 100 is as recorded")
    async def volume(
        self, interaction: discord.Interaction, percent: app_commands.Range[int, 0, 200] | None = None
    ) -> None:
        """Set the volume of this session; it is kept for the server."""
        session = self._session(interaction)
        if percent is not None:
            self._require_say(interaction, session)
            await interaction.response.defer(ephemeral=True, thinking=True)
            await self.runtime.voice.set_volume(session, percent / 100)
        await answer(interaction, VOLUME.format(volume=session.player.volume))

    async def _voice_names(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        """Complete the names of voices, from memory."""
        del interaction
        return [
            app_commands.Choice(name=plain(name), value=name)
            for name in self.runtime.voice_preferences.matching(partial)
            if plain(name)
        ]

    @subcommand("voice", "voices", "Choose the voice in which your messages are read.")
    @app_commands.describe(
        voice="Name of a voice; “default” for the bot's own",
        rate="Speed: 50 to 200 percent",
        pitch="Pitch: -12 to 12 semitones",
        nickname="What to call you when reading aloud; “default” for your name here",
        language="The language you speak, for who listens: “de”, “German”; “default” to find out each time",
    )
    @app_commands.autocomplete(voice=_voice_names)
    async def voices(
        self,
        interaction: discord.Interaction,
        voice: str | None = None,
        rate: app_commands.Range[int, 50, 200] | None = None,
        pitch: app_commands.Range[int, -12, 12] | None = None,
        nickname: app_commands.Range[str, 1, 32] | None = None,
        language: app_commands.Range[str, 2, 20] | None = None,
    ) -> None:
        """Set or show a person's own voice, and the language they speak."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        wish = await self.runtime.voice_preferences.set(
            interaction.user.id,
            voice=voice,
            rate=None if rate is None else rate / 100,
            pitch=pitch,
            nickname=nickname,
            language=language,
        )
        await answer(interaction, VOICE_SET.format(how=shown(describe(wish), 300)))

    # Who asks ---------------------------------------------------------------------------------------------------------

    def _session(self, interaction: discord.Interaction) -> VoiceSession:
        if interaction.guild_id is None:
            raise VoiceError(SERVER_ONLY)
        return self.runtime.voice.require(interaction.guild_id)

    def _member(self, interaction: discord.Interaction) -> discord.Member:
        if not isinstance(interaction.user, discord.Member):
            raise VoiceError(SERVER_ONLY)
        return interaction.user

    def _channel_of(self, interaction: discord.Interaction) -> VoiceRoom:
        state = self._member(interaction).voice
        if state is None or state.channel is None:
            raise VoiceError(NOT_IN_VOICE)
        return state.channel

    def _require_say(self, interaction: discord.Interaction, session: VoiceSession) -> None:
        require_say(session, interaction.user.id, interaction.permissions)


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(VoiceCog(bot))
