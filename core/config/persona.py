"""`[persona]`: the characters as whom the bot answers, and what it does by itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from core.config.people import JoiningInSection, ProfilesSection, TemperatureSection
from core.config.section import Section, Snowflake

SPAN = r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d"
NAME = r"^[^/\\\x00-\x1f]*$"


class MoodsSection(Section):
    """`[persona.moods]`: how a character feels, on each server and in direct messages."""

    enabled: bool = Field(default=True, description="Whether characters have moods at all.")
    by_words: bool = Field(default=True, description="Whether what is said to a character changes its mood.")
    show_status: bool = Field(default=True, description="Show the mood in the line under the bot's name.")
    nickname_emoji: bool = Field(
        default=False, description="Put the mood's emoji behind the bot's name on the server; never during a session."
    )
    nickname_interval_s: float = Field(
        default=600, ge=60, description="The name is not changed more often than this, a server."
    )


class AvatarsSection(Section):
    """`[persona.avatars]`: pictures of characters and moods."""

    enabled: bool = Field(
        default=True,
        description="Whether the bot shows its character's picture on a server; never changed in a session.",
    )
    by_mood: bool = Field(default=True, description="Whether a mood's own picture is shown.")
    max_file_mb: int = Field(default=8, ge=1, le=50, description="Larger pictures are refused.")
    max_megapixels: int = Field(
        default=40, ge=1, le=80, description="Larger pictures are refused before they are unpacked."
    )
    side_px: int = Field(default=512, ge=128, le=1024, description="Pictures are made this small.")


class ArgumentsSection(Section):
    """`[persona.arguments]`: the second self, and when it argues with the bot."""

    second: str = Field(
        default="", pattern=NAME, description="Character that contradicts, by its id; empty: one that comes along."
    )
    lines: int = Field(default=6, ge=2, le=20, description="Lines of an argument, of both together.")
    threshold: float = Field(
        default=6,
        ge=0,
        le=100,
        description="How heated a talk with the bot must be for one to begin by itself; 0 never.",
    )
    half_life_s: float = Field(default=240, ge=10, le=86400, description="After this long it is half as heated.")
    rest_s: float = Field(
        default=1800, ge=0, le=7 * 86400, description="How long none begins by itself after one, a channel."
    )
    again_s: float = Field(
        default=60, ge=0, le=86400, description="How long nobody on a server may ask for another one after one."
    )
    characters_per_s: float = Field(default=14, ge=0, le=1000, description="How fast the two type; 0 does not pause.")
    longest_pause_s: float = Field(default=12, ge=0, le=120, description="No line takes longer to be typed.")
    max_tokens: int = Field(default=160, ge=20, le=2000, description="Tokens of one line at most.")
    without_webhook: Literal["prefix", "refuse"] = Field(
        default="prefix",
        description="Where there can be no webhook: the bot says the lines with a name in front, or does not argue.",
    )


class AutonomousSection(Section):
    """`[persona.autonomous]`: messages of the bot's own, in channels where `/persona autonomous` allows them."""

    enabled: bool = Field(default=True, description="Whether there are any, on any server.")
    quiet_after_min: float = Field(
        default=180,
        ge=10,
        le=10_080,
        description="How long a channel has been silent before, or up to half as long again.",
    )
    per_day: int = Field(default=2, ge=0, le=24, description="At most so many a day, a channel.")
    quiet_hours: str = Field(
        default="22:00-08:00", pattern=f"^({SPAN})?$", description="In the server's time zone; empty is none."
    )
    likes: list[Annotated[str, Field(pattern=f"^{SPAN}$")]] = Field(
        default_factory=list[str],
        max_length=10,
        description="Times of the day for them, if the character's file has none of its own; none are all.",
    )
    max_unanswered: int = Field(
        default=2,
        ge=1,
        le=20,
        description="After so many that nobody answered, there are no more until somebody writes to the bot.",
    )
    max_tokens: int = Field(default=160, ge=20, le=2000, description="Of one message.")


class PersonaSection(Section):
    """Who the bot is, and what it does by itself."""

    route: str = Field(
        default="", description="Model route that is asked what nobody asked for; empty takes the current one."
    )
    tokens_per_day: int = Field(
        default=100_000, ge=0, le=10**9, description="Tokens that may be spent on that in a day (UTC); 0 is none."
    )
    observe: list[Snowflake] = Field(
        default_factory=list[int], description="Channels in which the bot reads along, as with /persona observe."
    )
    consent: Literal["opt_in", "opt_out"] = Field(
        default="opt_in",
        description="Whose messages are kept there: of those who agreed, or of all who did not refuse.",
    )
    keep_days: float = Field(default=30, gt=0, le=3650, description="Older messages are forgotten ...")
    keep_messages: int = Field(default=30, ge=5, le=1000, description="... but for so many of each person.")
    server_share: float = Field(
        default=0.5, gt=0, le=1, description="Part of them that one server may spend, if the bot is on several."
    )

    characters: str = Field(default="characters", min_length=1, description="Folder of characters, for every server.")
    imported: str = Field(
        default="data/characters", min_length=1, description="Folder of those that servers imported, each for itself."
    )
    default: str = Field(
        default="", pattern=NAME, description="Character of servers that chose none, by its id; empty: the bot itself."
    )
    direct_messages: str = Field(default="", pattern=NAME, description="Character of direct messages, by its id.")
    style: str = Field(
        default="Answer in one to three short spoken sentences, without lists, markdown or emoji.",
        max_length=1000,
        description="How every character answers; stands above what is written of it.",
    )
    max_imported: int = Field(default=25, ge=0, le=500, description="Characters that one server may import.")
    max_card_mb: int = Field(default=8, ge=1, le=50, description="Larger character cards are refused.")
    description_tokens: int = Field(
        default=1200, ge=50, le=20_000, description="Of a character's description the model is told at most this much."
    )
    example_tokens: int = Field(
        default=400, ge=0, le=20_000, description="And of its example dialogue at most this much."
    )
    moods: MoodsSection = MoodsSection()
    profiles: ProfilesSection = ProfilesSection()
    joining_in: JoiningInSection = JoiningInSection()
    temperature: TemperatureSection = TemperatureSection()
    avatars: AvatarsSection = AvatarsSection()
    arguments: ArgumentsSection = ArgumentsSection()
    autonomous: AutonomousSection = AutonomousSection()
