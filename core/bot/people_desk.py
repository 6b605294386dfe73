"""What people do about what the bot knows of them and where it reads along: commands, buttons and forms."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import discord

from core.bot import people_words as words
from core.bot.interactions import written
from core.bot.replies import NO_PINGS, answer, tell_error
from core.errors import ParleyError
from core.lockdown import Feature, PausePolicy, SilencePolicy
from core.persona.people.joining_in import FEATURE as JOINING_IN
from core.persona.people.profile import Profile, corrected_profile
from core.persona.people.profiles import FEATURE as PROFILES
from core.privacy.words import decided_text
from core.store.profiles import OPEN

if TYPE_CHECKING:
    from core.bot.cog import ParleyCog
    from core.bot.runtime import Runtime
    from core.store.decisions import Decision
    from core.store.profiles import StoredProfile

_log = logging.getLogger(__name__)


class PeopleDesk:
    """Answers interactions about people; holds nothing of its own."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._people = runtime.people
        self._section = runtime.config.persona

    def serve(self, cog: ParleyCog) -> None:
        """Be there until the cog goes: read along, join in, make profiles, answer buttons and wishes."""
        profiles = self._people.profiles
        cog.give_way(Feature(PROFILES, "Noting how to talk with people", PausePolicy(profiles.pause, profiles.resume)))
        cog.give_way(Feature(JOINING_IN, "Joining in", SilencePolicy()))
        cog.take_presses(words.OWNER, self.pressed)
        cog.claim_messages(self._runtime.people_at_work.wishes.claim)
        self._runtime.people_at_work.begin()
        if not self._runtime.lockdown.locked(PROFILES):
            profiles.resume()
        cog.close_on_unload(self._runtime.people_at_work.rest)
        cog.tasks.start(self._announce_configured(), "announce")

    # Channels ---------------------------------------------------------------------------------------------------------

    async def observe(self, interaction: discord.Interaction, state: str | None) -> str:
        """Begin or end reading along in the channel of a command; returns what to answer.

        Raises:
            ParleyError: It is no channel of a server, nothing can be read, or the channel cannot be told.
        """
        guild, channel = interaction.guild, interaction.channel
        if guild is None or not isinstance(channel, discord.abc.Messageable):
            raise ParleyError(words.SERVER_ONLY)
        channel_id = interaction.channel_id or 0
        observed = self._people.channels.is_observed(channel_id)
        if state is None:
            return words.observed_channels(self.seen_by(interaction, guild))
        if state == "off":
            wanted = self._people.channels.wanted(channel_id)
            await self._people.stop_observing(guild.id, channel_id)
            return words.OFF if observed or wanted else words.NOT_HERE
        if observed:
            return words.ALREADY
        if not self._runtime.bot.intents.message_content:
            raise ParleyError(words.NO_CONTENT)
        message = await self._announce(channel, channel_id)
        if message is None:
            raise ParleyError(words.UNANNOUNCED)
        await self._people.channels.observe(guild.id, channel_id, announced_at=self._runtime.clock.now())
        return words.ON

    def seen_by(self, interaction: discord.Interaction, guild: discord.Guild) -> list[int]:
        """The channels in which the bot reads along, of those that whoever asks may see."""
        found: list[int] = []
        for channel_id in self._people.channels.observed(guild.id):
            channel = guild.get_channel_or_thread(channel_id)
            member = interaction.user
            if (
                channel is not None
                and isinstance(member, discord.Member)
                and channel.permissions_for(member).view_channel
            ):
                found.append(channel_id)
        return found

    async def join_in_every(self, interaction: discord.Interaction, every: int) -> str:
        """Set after how many messages the bot joins in, in the channel of a command.

        Raises:
            ParleyError: It does not read along there.
        """
        channel_id = interaction.channel_id or 0
        if every and not self._people.channels.is_observed(channel_id):
            raise ParleyError(words.NOT_OBSERVED)
        await self._people.channels.join_in(interaction.guild_id or 0, channel_id, every)
        return words.EVERY.format(every=every) if every else words.NEVER

    async def _announce(self, channel: discord.abc.Messageable, channel_id: int) -> discord.Message | None:
        section = self._section
        text = words.announcement(
            section.consent,
            days=section.keep_days,
            least=section.keep_messages,
            every=self._people.channels.every(channel_id),
        )
        try:
            buttons = words.announcement_buttons(section.consent)
            return await channel.send(text, view=buttons, allowed_mentions=NO_PINGS)
        except discord.HTTPException as error:
            _log.warning("channel %d was not told that I read along, so I do not: %s", channel_id, error)
            return None

    async def _announce_configured(self) -> None:
        """Tell the channels of the configuration that were not told yet."""
        bot = self._runtime.bot
        await bot.wait_until_ready()
        for channel_id in self._people.channels.unannounced():
            channel = bot.get_channel(channel_id)
            guild = getattr(channel, "guild", None)
            if guild is None or not isinstance(channel, discord.abc.Messageable):
                _log.warning("[persona] observe names %d, which is no channel that I can write in", channel_id)
            elif await self._announce(channel, channel_id) is not None:
                await self._people.channels.announced(guild.id, channel_id, self._runtime.clock.now())

    # People -----------------------------------------------------------------------------------------------------------

    async def temperature(self, interaction: discord.Interaction, value: float | None, *, reset: bool) -> str:
        """Show, set or forget how freely somebody is answered.

        Raises:
            ParleyError: The value is beyond the limits.
        """
        temperatures, user_id = self._people.temperatures, interaction.user.id
        if value is None and not reset:
            return await temperatures.told(user_id)
        return await temperatures.set(user_id, None if reset else value)

    async def show_profile(self, interaction: discord.Interaction) -> None:
        """Show somebody what is kept of them on this server; nobody else sees it."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        guild_id, user_id = interaction.guild_id or 0, interaction.user.id
        await self._people.messages.flush()
        count = await self._people.messages.repository.count_of(user_id, guild_id)
        kept = await self._runtime.people_at_work.kept_profiles.of_person(user_id, guild_id)
        decision = self._runtime.privacy.consent.decision("observed", user_id)
        corrected = next((each.corrected for each in kept if each.key.scope == OPEN), dict[str, Any]())
        parts = [words.STANDING[decision], words.KEPT.format(count=count)]
        shown = [self._noted(each, corrected) for each in kept if each.profile is not None or each.corrected]
        parts += shown or [words.NOTHING]
        style = next((_merged(each, corrected).reply_style for each in kept if each.key.scope == OPEN), None)
        view = words.profile_buttons(decision, style if shown else None)
        text = "\n".join([" ".join(parts[:2]), *parts[2:]])[:1990]
        await interaction.followup.send(text, view=view, ephemeral=True, allowed_mentions=NO_PINGS)

    def _noted(self, kept: StoredProfile, corrected: Any) -> str:
        count, scope = len(kept.sources), kept.key.scope
        if scope == OPEN:
            heading = words.OPEN_NOTES.format(count=count) if kept.profile is not None else words.OWN_NOTES
        else:
            heading = words.CHANNEL_NOTES.format(channel=f"<#{scope}>", count=count)
        return words.noted(heading, _merged(kept, corrected), corrected)

    async def pressed(self, interaction: discord.Interaction, do: str) -> None:
        """A button was pressed, or a form sent; it is about whoever did, and nobody else."""
        try:
            await self._press(interaction, do)
        except Exception as error:  # noqa: BLE001 - shown as a sentence, and in the log with its cause
            await tell_error(interaction, error)

    async def _press(self, interaction: discord.Interaction, do: str) -> None:
        if do in ("agree", "refuse"):
            await self._decide(interaction, "in" if do == "agree" else "out")
        elif do == "correct":
            self._require_allowed(interaction)
            await interaction.response.send_modal(words.correction_form(await self._own(interaction)))
        elif do == "corrected":
            given = {name: written(interaction, name) for name in words.FIELD_LABELS}
            now = words.fields(await self._own(interaction))  # what somebody left as it was they did not correct
            await self._correct(interaction, {name: value for name, value in given.items() if value != now[name]})
        elif do == "style":
            chosen: list[str] = (interaction.data or {}).get("values", [])  # pyright: ignore[reportAssignmentType] - of a select
            await self._correct(interaction, {"reply_style": chosen[0] if chosen else ""})
        elif do == "forget":
            await interaction.response.defer(ephemeral=True, thinking=True)
            await self._people.messages.forget_member(interaction.guild_id or 0, interaction.user.id)
            await answer(interaction, words.FORGOTTEN)

    async def _own(self, interaction: discord.Interaction) -> Profile | None:
        """What is noted of whoever asks, for all of this server."""
        kept = await self._runtime.people_at_work.kept_profiles.of_person(interaction.user.id, interaction.guild_id)
        known = next((each for each in kept if each.key.scope == OPEN), None)
        return _merged(known, known.corrected) if known is not None else None

    async def _correct(self, interaction: discord.Interaction, given: dict[str, str]) -> None:
        self._require_allowed(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._people.profiles.correct(interaction.guild_id or 0, interaction.user.id, given)
        await answer(interaction, words.CORRECTED)

    def _require_allowed(self, interaction: discord.Interaction) -> None:
        consent = self._runtime.privacy.consent
        if not consent.allows("observed", interaction.guild_id or 0, interaction.user.id):
            raise ParleyError(words.NOT_WHILE_REFUSED)

    async def _decide(self, interaction: discord.Interaction, decision: Decision) -> None:
        # a refusal holds at once; what follows in the database may take longer than Discord waits for an answer
        self._runtime.privacy.consent.decide("observed", interaction.user.id, decision)
        await interaction.response.defer(ephemeral=True, thinking=True)
        settled = await self._runtime.privacy.decide(interaction.user.id, decision, ("observed",))
        await answer(interaction, decided_text(decision, ("observed",), settled))


def _merged(kept: StoredProfile, corrected: Any) -> Profile:
    profile = Profile.model_validate(kept.profile) if kept.profile is not None else None
    return corrected_profile(profile, corrected)
