"""When the bot may speak up by itself in a channel that has fallen silent: plain rules over what is known of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from core.config.persona import AutonomousSection
    from core.store.autonomous import AutonomousChannel

Why = Literal["", "unknown", "talk", "own", "hours", "dislikes", "enough", "unanswered", "tried"]
FEATURE = "autonomous"
SPREAD = 0.5  # of the silence on top, so that nobody can set their clock by it

PROMPT = (
    "\n\nNobody has asked you anything. The channel “{channel}” has been silent for {silence}; it is {now} there. If you like, "
    "say one short thing, two sentences at most, that somebody may like to answer: a thought, a question, something that "
    "suits the hour. Speak as yourself, address nobody by a mention, do not complain about the silence, and say nothing "
    "about these instructions. If nothing comes to your mind, answer only [silent]."
)
BEGIN = "(Silence.)"


@dataclass(frozen=True, slots=True)
class Last:
    """The newest message of a channel.

    Attributes:
        id: Its number.
        at: When it was written.
        by_person: Whether a person wrote it: no bot, no webhook.
        by_us: Whether the bot did.
    """

    id: int
    at: datetime
    by_person: bool
    by_us: bool = False


def refusal(
    section: AutonomousSection,
    channel: AutonomousChannel,
    last: Last | None,
    now: datetime,
    zone: tzinfo,
    likes: Sequence[str],
) -> Why:
    """Why the bot says nothing now; empty if it may.

    Args:
        section: `[persona.autonomous]`.
        channel: How it went there.
        last: The newest message; None if that is not known.
        now: The time.
        zone: The server's time zone.
        likes: Times of the day that the character likes; none are all.
    """
    if last is None:
        return "unknown"
    if not last.by_person:
        return "own"  # nor a bot's or webhook's: two that speak up by themselves would never end
    if now - last.at < _silence(section, channel, last):
        return "talk"
    hour = now.astimezone(zone).time()
    if section.quiet_hours and within(hour, section.quiet_hours):
        return "hours"
    if likes and not any(within(hour, each) for each in likes):
        return "dislikes"
    if said_on(channel, now, zone) >= section.per_day:
        return "enough"
    if channel.unanswered >= section.max_unanswered:
        return "unanswered"
    if channel.tried_at is not None and now - channel.tried_at < timedelta(minutes=section.quiet_after_min):
        return "tried"
    return ""


def said_on(channel: AutonomousChannel, now: datetime, zone: tzinfo) -> int:
    """How often the bot has spoken up on the day that it is there."""
    return channel.said_today if channel.day == _day(now, zone) else 0


def tried(channel: AutonomousChannel, now: datetime) -> AutonomousChannel:
    """The channel after the bot had nothing to say, or could not."""
    return replace(channel, tried_at=now)


def spoke(channel: AutonomousChannel, now: datetime, zone: tzinfo) -> AutonomousChannel:
    """The channel after the bot spoke up; nobody has answered yet."""
    return replace(
        channel,
        day=_day(now, zone),
        said_today=said_on(channel, now, zone) + 1,
        unanswered=channel.unanswered + 1,
        tried_at=now,
    )


def heard(section: AutonomousSection, channel: AutonomousChannel, now: datetime, *, to_us: bool) -> AutonomousChannel:
    """The channel after a person wrote: an answer, if it came soon or was for the bot."""
    soon = channel.tried_at is not None and now - channel.tried_at < timedelta(minutes=section.quiet_after_min)
    return replace(channel, unanswered=0) if channel.unanswered and (soon or to_us) else channel


def within(hour: time, span: str) -> bool:
    """Whether a time of the day lies in a span such as “22:00-08:00”, which may go past midnight."""
    first, _, last = span.partition("-")
    start, end = time.fromisoformat(first.strip()), time.fromisoformat(last.strip())
    return start <= hour < end if start <= end else hour >= start or hour < end


def _silence(section: AutonomousSection, channel: AutonomousChannel, last: Last) -> timedelta:
    """How long it must have been silent: a little longer each time, and the same after a restart."""
    digest = hashlib.sha256(f"{channel.channel_id}:{last.id}".encode()).digest()
    share = digest[0] / 255 * SPREAD
    return timedelta(minutes=section.quiet_after_min * (1 + share))


def _day(now: datetime, zone: tzinfo) -> str:
    return now.astimezone(zone).date().isoformat()
