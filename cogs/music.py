"""MusicCog: the queue of a voice session, and the buttons under what plays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import core

if getattr(core, "PARLEY", None) != "parley":
    raise ImportError(f"Parley's cogs need Parley's package “core”, but Python found another: {core.__file__}.")

import discord
from discord import app_commands

from core.audio.decode import clock
from core.bot.cog import ParleyCog, subcommand
from core.bot.music_rights import SERVER_ONLY, listeners, require_listening, require_rule, rules
from core.bot.music_words import NOTHING, bar, called, choice, queue_page
from core.bot.replies import answer, tell_error
from core.discord_limits import CHOICES
from core.errors import AudioError, ParleyError, VoiceError
from core.music.places import read_place
from core.names import plain

if TYPE_CHECKING:
    from discord.ext import commands

    from core.music.deck import Deck
    from core.music.queue import Loop
    from core.music.track import Track
    from core.voice.session import VoiceSession

PLAYING = "Playing {title}."
WAITS = "{title} is number {number} in the queue."
LISTED = "{count} tracks are in the queue now, from number {number} on.{left_out}"
LEFT_OUT = " {count} more were left out: addresses I do not open, or more than there is room for."
ONE_THING = "Give one thing to play: a file of the sounds folder or an address, or an upload."
SKIPPED = "Skipped {title}."
VOTED = "{votes} of {needed} votes to skip {title}."
REMOVED = "Removed {title}."
MOVED = "{title} is number {number} now."
CLEARED = "{count} track(s) that waited are gone."
NOTHING_WAITED = "Nothing was waiting."
SHUFFLED = "{count} tracks that wait are mixed."
LOOPS = {
    "off": "No loop any more.",
    "track": "This track plays again and again.",
    "queue": "The queue plays in a circle.",
}
NEXT_LOOP: dict[Loop, Loop] = {"off": "track", "track": "queue", "queue": "off"}
SOUGHT = "{title} goes on at {at}."
PAUSED, RESUMED = "Paused.", "Going on."
PAUSED_ALREADY, NOT_PAUSED = "It is paused already.", "It was not paused."
STOPPED = "Stopped. The queue is empty."
VOLUME = "Music is at {volume:.0%}."
EFFECT = "Playing {title} over it."

Number = app_commands.Range[int, 1, 1000]


class MusicCog(ParleyCog, name="Music"):
    """Commands of the queue."""

    async def cog_load(self) -> None:
        """Attach, and take the presses of the buttons."""
        await super().cog_load()
        self.take_presses("music", self._pressed)

    # Into the queue ---------------------------------------------------------------------------------------------------

    async def _what(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        """Complete names of the sounds folder, and what was played here before."""
        found = await self.runtime.music.suggestions(interaction.guild_id or 0, partial)
        return [app_commands.Choice(name=name, value=value) for name, value in found]

    @subcommand("music", "play", "Play a file, an address (file, radio, playlist) or an upload, behind what plays.")
    @app_commands.describe(
        what="A file of the sounds folder, or an address", upload="A sound, video or playlist file", next="Play it next"
    )
    @app_commands.autocomplete(what=_what)
    async def play(
        self,
        interaction: discord.Interaction,
        what: str | None = None,
        upload: discord.Attachment | None = None,
        next: bool = False,
    ) -> None:
        """Queue something; whoever listens may."""
        session = self._session(interaction)
        require_listening(interaction, session)
        if (upload is None) == (not what):
            raise AudioError(ONE_THING)
        if next and len(session.media.tracks) > 1:
            require_rule(interaction, session, self.runtime.music.section.dj_role)
        await interaction.response.defer(ephemeral=True, thinking=True)
        user_id = interaction.user.id
        if upload is not None:
            found = await self.runtime.music.play_sent(session, upload, by=user_id, next=next)
        else:
            found = await self.runtime.music.play_what(session, what or "", by=user_id, next=next)
        self.runtime.music.cards.show(session)
        first = found.tracks[0]
        tracks = session.media.tracks
        number = tracks.index(first) + 1 if first in tracks else 1
        if len(found.tracks) > 1 or found.left_out:
            left_out = LEFT_OUT.format(count=found.left_out) if found.left_out else ""
            text = LISTED.format(count=len(found.tracks), number=number, left_out=left_out)
        else:
            text = (PLAYING if number == 1 else WAITS).format(title=called(first), number=number)
        await answer(interaction, text)

    async def _effects(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        """Complete names of the sounds folder."""
        del interaction
        found = await self.runtime.music.matching(partial)
        return [app_commands.Choice(name=plain(name), value=name) for name in found if plain(name)]

    @subcommand("music", "effect", "Play a short sound of the sounds folder over everything.")
    @app_commands.describe(name="A file of the sounds folder")
    @app_commands.autocomplete(name=_effects)
    async def effect(self, interaction: discord.Interaction, name: str) -> None:
        """Play a sound at once; whoever listens may."""
        session = self._session(interaction)
        require_listening(interaction, session)
        await interaction.response.defer(ephemeral=True, thinking=True)
        track = await self.runtime.music.effect(session, name, by=interaction.user.id)
        await answer(interaction, EFFECT.format(title=called(track)))

    # The queue --------------------------------------------------------------------------------------------------------

    async def _numbers(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[int]]:
        """Complete numbers of tracks by their titles."""
        session = self.runtime.voice.session(interaction.guild_id or 0)
        if session is None:
            return []
        wanted = partial.casefold()
        named = [(choice(track, number), number) for number, track in enumerate(session.media.tracks, 1)]
        fitting = [(name, number) for name, number in named if wanted in name.casefold()]
        return [app_commands.Choice(name=name, value=number) for name, number in fitting[:CHOICES]]

    @subcommand("music", "queue", "Show what plays and what waits.")
    @app_commands.describe(page="Which page")
    async def queue(self, interaction: discord.Interaction, page: app_commands.Range[int, 1, 100] = 1) -> None:
        """Show the queue."""
        await answer(interaction, queue_page(self._session(interaction).media, page))

    @subcommand("music", "now", "Show what plays, with buttons.")
    async def now(self, interaction: discord.Interaction) -> None:
        """Show what plays, and put the card at the end of the channel."""
        session = self._session(interaction)
        track = session.media.now
        if track is None:
            raise AudioError(NOTHING)
        self.runtime.music.cards.show(session, anew=True)
        await answer(interaction, f"{called(track)}\n{bar(session.media)}")

    @subcommand("music", "skip", "Skip what plays; without the right to, vote for it.")
    async def skip(self, interaction: discord.Interaction) -> None:
        """Skip, or vote."""
        await answer(interaction, self._skip(interaction))

    @subcommand("music", "remove", "Take a track out of the queue.")
    @app_commands.describe(number="Its number in /music queue")
    @app_commands.autocomplete(number=_numbers)
    async def remove(self, interaction: discord.Interaction, number: Number) -> None:
        """Take a track out; one's own always."""
        deck, session = self._deck(interaction)
        track = deck.queue.at(number)
        require_rule(interaction, session, self._dj, track)
        await answer(interaction, REMOVED.format(title=called(deck.remove(number))))

    @subcommand("music", "move", "Give a track that waits another place.")
    @app_commands.describe(number="Its number in /music queue", to="Its number afterwards")
    @app_commands.autocomplete(number=_numbers)
    async def move(self, interaction: discord.Interaction, number: Number, to: Number) -> None:
        """Move a track."""
        deck, session = self._deck(interaction)
        require_rule(interaction, session, self._dj)
        track = deck.queue.move(number, to)
        await answer(interaction, MOVED.format(title=called(track), number=to))

    @subcommand("music", "clear", "Drop everything that waits.")
    async def clear(self, interaction: discord.Interaction) -> None:
        """Drop what waits."""
        deck, session = self._deck(interaction)
        require_rule(interaction, session, self._dj)
        count = deck.queue.clear()
        await answer(interaction, CLEARED.format(count=count) if count else NOTHING_WAITED)

    @subcommand("music", "shuffle", "Mix what waits.")
    async def shuffle(self, interaction: discord.Interaction) -> None:
        """Mix what waits."""
        deck, session = self._deck(interaction)
        require_rule(interaction, session, self._dj)
        await answer(interaction, SHUFFLED.format(count=deck.queue.shuffle()))

    @subcommand("music", "loop", "Play the track, or the queue, again and again.")
    @app_commands.describe(mode="What to repeat")
    async def loop(self, interaction: discord.Interaction, mode: Literal["off", "track", "queue"]) -> None:
        """Set the loop."""
        deck, session = self._deck(interaction)
        require_rule(interaction, session, self._dj)
        deck.set_loop(mode)
        await answer(interaction, LOOPS[mode])

    # What plays -------------------------------------------------------------------------------------------------------

    @subcommand("music", "seek", "Go to another place in what plays.")
    @app_commands.describe(to="1:30, or seconds, or +10 and -10")
    async def seek(self, interaction: discord.Interaction, to: app_commands.Range[str, 1, 20]) -> None:
        """Go on elsewhere."""
        deck, session = self._deck(interaction)
        track = deck.now
        if track is None:
            raise AudioError(NOTHING)
        require_rule(interaction, session, self._dj, track)
        at_s = read_place(to, deck.position_s)
        await interaction.response.defer(ephemeral=True, thinking=True)
        at_s = await deck.seek(at_s)
        await answer(interaction, SOUGHT.format(title=called(track), at=clock(at_s)))

    @subcommand("music", "pause", "Hold the music.")
    async def pause(self, interaction: discord.Interaction) -> None:
        """Pause."""
        await answer(interaction, self._pause(interaction, on=True))

    @subcommand("music", "resume", "Let the music go on.")
    async def resume(self, interaction: discord.Interaction) -> None:
        """Go on."""
        await answer(interaction, self._pause(interaction, on=False))

    @subcommand("music", "stop", "End the music and empty the queue.")
    async def stop(self, interaction: discord.Interaction) -> None:
        """End everything but the voice."""
        await answer(interaction, self._stop(interaction))

    @subcommand("music", "volume", "Show or set how loud music is, beside the voice.")
    @app_commands.describe(percent="0 to 200; 100 is as evened")
    async def volume(
        self, interaction: discord.Interaction, percent: app_commands.Range[int, 0, 200] | None = None
    ) -> None:
        """Set the music's volume for this session."""
        deck, session = self._deck(interaction)
        if percent is not None:
            require_rule(interaction, session, self._dj)
            deck.volume = percent / 100
        await answer(interaction, VOLUME.format(volume=deck.volume))

    # Buttons ----------------------------------------------------------------------------------------------------------

    async def _pressed(self, interaction: discord.Interaction, what: str) -> None:
        """One of the buttons under what plays."""
        try:
            if what == "loop":
                deck, session = self._deck(interaction)
                require_rule(interaction, session, self._dj)
                mode = NEXT_LOOP[deck.queue.loop]
                deck.set_loop(mode)
                text = LOOPS[mode]
            elif what == "pause":
                text = self._pause(interaction, on=not self._session(interaction).media.paused)
            else:
                text = self._stop(interaction) if what == "stop" else self._skip(interaction)
            await answer(interaction, text)
        except ParleyError as error:
            await tell_error(interaction, error)

    # What commands and buttons share ----------------------------------------------------------------------------------

    def _skip(self, interaction: discord.Interaction) -> str:
        deck, session = self._deck(interaction)
        require_listening(interaction, session)
        track = self._playing(deck)
        if not rules(session, interaction.user, interaction.permissions, self._dj, track):
            votes = self.runtime.music.votes(session)
            tally = votes.vote(interaction.user.id, track.id, listeners(session))
            if not tally.carried:
                return VOTED.format(votes=tally.votes, needed=tally.needed, title=called(track))
        deck.skip()
        return SKIPPED.format(title=called(track))

    def _pause(self, interaction: discord.Interaction, *, on: bool) -> str:
        deck, session = self._deck(interaction)
        require_rule(interaction, session, self._dj, self._playing(deck))
        if on:
            return PAUSED if deck.pause() else PAUSED_ALREADY
        return RESUMED if deck.resume() else NOT_PAUSED

    def _stop(self, interaction: discord.Interaction) -> str:
        deck, session = self._deck(interaction)
        require_rule(interaction, session, self._dj)
        self._playing(deck)
        deck.stop()
        return STOPPED

    @property
    def _dj(self) -> str:
        return self.runtime.music.section.dj_role

    @staticmethod
    def _playing(deck: Deck) -> Track:
        if deck.now is None:
            raise AudioError(NOTHING)
        return deck.now

    def _deck(self, interaction: discord.Interaction) -> tuple[Deck, VoiceSession]:
        session = self._session(interaction)
        return session.media, session

    def _session(self, interaction: discord.Interaction) -> VoiceSession:
        if interaction.guild_id is None:
            raise VoiceError(SERVER_ONLY)
        return self.runtime.voice.require(interaction.guild_id)


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(MusicCog(bot))
