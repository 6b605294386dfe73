"""What people read of channels in which the bot reads along, and of what it makes of them; buttons and forms for both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from core.bot.interactions import BUTTONS
from core.names import shown
from core.persona.people.profile import STYLE_WORDS, STYLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from core.persona.people.profile import Profile
    from core.store.decisions import Decision

OWNER = "people"  # of buttons and forms

ANNOUNCED = {
    "opt_in": "📖 From now on I read along in this channel, with those who agree: only their messages are kept, for {days} days "
    "(their newest {least} for longer), so that I learn how to talk with them.",
    "opt_out": "📖 From now on I read along in this channel. Messages are kept for {days} days (everybody's newest {least} for "
    "longer), so that I learn how to talk with you; press “Not mine” and nothing of yours is.",
}
ANNOUNCED_JOINS = "After every {every} of those messages I may say something."
ANNOUNCED_END = "`/persona profile` shows you what I keep of you, and takes it back."
UNANNOUNCED = "I may not write here, and that I read along must be announced. Give me the right to, and try again."
NO_CONTENT = "I am made without the intent “message content”, so there is nothing that I could read along."
ON, OFF = (
    "From now on I read along here; the channel has been told.",
    "I read along here no more, and have forgotten what was written here.",
)
ALREADY, NOT_HERE = "I read along here already.", "I do not read along here."
NOT_OBSERVED = "I do not read along in this channel, so I cannot join in. `/persona observe on` comes first."
NOWHERE, HERE = "I read along in no channel of this server.", "I read along in: {channels}."
EVERY, NEVER = (
    "I join in here after every {every} messages of those who let me read along.",
    "I join in here no more; to those who speak to me I answer as before.",
)
SERVER_ONLY = "This works in a channel of a server only."
AGREED, REFUSED = "Read mine", "Not mine"

STANDING: dict[Decision | None, str] = {
    "in": "You let me read along.",
    "out": "You do not want to be observed, so I keep nothing.",
    None: "You have not said whether I may read along.",
}
KEPT = "Of this server I keep {count} messages of yours."
NOTHING = "I have made no notes on you yet."
OPEN_NOTES = "**How I talk with you on this server** (from {count} messages that everybody here may read)"
CHANNEL_NOTES = "**How I talk with you in {channel} alone** (from {count} messages of that channel)"
OWN_NOTES = "**How I talk with you on this server** (as you told me)"
OWN_MARK = " ✏️"
ANSWERED = "I answer you {style}."
CORRECTED = "Noted, and it holds whatever I may find out later."
FORGOTTEN = "Forgotten: your messages and my notes of this server. I go on reading along, unless you refuse."
NOT_WHILE_REFUSED = "I keep no notes on people who are not observed; `/privacy opt-in` lets me read along with you."

FIELD_LABELS = {
    "tone": "Your tone",
    "interests": "Your interests, with commas between",
    "language": "Your language",
    "address": "How I address you",
    "avoid": "What I avoid, with commas between",
}
FIELD_MOST = 400  # characters of a field
STYLE_LABELS = {"elegant": "Elegantly", "direct": "Directly", "brief": "Briefly", "none": "Rather not at all"}


def announcement(mode: str, *, days: float, least: int, every: int) -> str:
    """What a channel is told in which the bot begins to read along."""
    told = ANNOUNCED["opt_in" if mode == "opt_in" else "opt_out"].format(days=f"{days:g}", least=least)
    joins = ANNOUNCED_JOINS.format(every=every) if every else ""
    return " ".join(part for part in (told, joins, ANNOUNCED_END) if part)


def announcement_buttons(mode: str) -> discord.ui.View:
    """Its buttons; they outlive reloads and restarts."""
    view = discord.ui.View(timeout=None)
    if mode == "opt_in":
        view.add_item(_button(AGREED, "agree", discord.ButtonStyle.success))
    view.add_item(_button(REFUSED, "refuse", discord.ButtonStyle.secondary))
    view.stop()
    return view


def profile_buttons(decision: Decision | None, style: str | None) -> discord.ui.View:
    """What somebody can do about what is kept of them."""
    view = discord.ui.View(timeout=None)
    if decision != "out":
        view.add_item(_button("Correct", "correct", discord.ButtonStyle.primary))
        view.add_item(_button("Forget", "forget", discord.ButtonStyle.danger))
        view.add_item(_button("Refuse", "refuse", discord.ButtonStyle.secondary))
    if decision != "in":
        view.add_item(_button("Allow", "agree", discord.ButtonStyle.success))
    if decision != "out":
        options = [discord.SelectOption(label=STYLE_LABELS[each], value=each, default=each == style) for each in STYLES]
        view.add_item(discord.ui.Select(custom_id=_id("style"), placeholder="How I answer you", options=options))
    view.stop()
    return view


def correction_form(profile: Profile | None) -> discord.ui.Modal:
    """Asks how somebody wants to be known; what is noted stands in it."""
    form = discord.ui.Modal(title="How I talk with you", custom_id=_id("corrected"))
    now = fields(profile)
    for name, label in FIELD_LABELS.items():
        form.add_item(
            discord.ui.TextInput(label=label, custom_id=name, default=now[name], required=False, max_length=FIELD_MOST)
        )
    form.stop()
    return form


def fields(profile: Profile | None) -> dict[str, str]:
    """What stands in the fields of that form at first."""
    now: dict[str, Any] = profile.model_dump() if profile is not None else {}
    texts = {name: now.get(name, "") for name in FIELD_LABELS}
    return {
        name: (", ".join(value) if isinstance(value, list) else value)[:FIELD_MOST]  # pyright: ignore[reportUnknownArgumentType] - of strings
        for name, value in texts.items()
    }


def noted(heading: str, profile: Profile, corrected: Mapping[str, Any]) -> str:
    """A profile, as whose it is reads it; what they said themselves is marked."""
    names = {"address them as": "address", **{name: name for name in FIELD_LABELS}}
    lines = [heading]
    for line in profile.lines():
        name, _, value = line.partition(": ")
        mark = OWN_MARK if names.get(name, name) in corrected else ""
        lines.append(f"- {name.replace('them', 'you')}: {shown(value, 300)}{mark}")
    mark = OWN_MARK if "reply_style" in corrected else ""
    lines.append(f"- {ANSWERED.format(style=STYLE_WORDS[profile.reply_style])}{mark}")
    return "\n".join(lines)


def observed_channels(channel_ids: Sequence[int]) -> str:
    """Where the bot reads along."""
    channels = ", ".join(f"<#{each}>" for each in channel_ids)
    return HERE.format(channels=channels) if channel_ids else NOWHERE


def _id(what: str) -> str:
    return f"{BUTTONS}{OWNER}:{what}"


def _button(label: str, what: str, style: discord.ButtonStyle) -> discord.ui.Button[discord.ui.View]:
    return discord.ui.Button(label=label, style=style, custom_id=_id(what))
