"""How turns end, in words and as an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.conversation.pages import without_masked_links
from core.events import TurnEnded

if TYPE_CHECKING:
    from core.conversation.turn import Turn

KEYLESS = "this channel's end-to-end keys are not agreed on"
VOICE_FAILED = "My voice failed ({reason}), so this one is text only."
UNREAD = "My voice failed ({reason}), so nothing is read aloud until it works again."
UNSAID = "My voice failed ({reason}). What I could not say: {text}"
SOUNDLESS = "There is nothing in that text that I could say."
UNSAID_CHARACTERS = 1500  # shown of it
BROKEN = "Something went wrong on my side; the log has the details. Please ask again."


def unsaid(text: str, reason: str) -> str:
    """What to write of a text that could not be said."""
    shown = without_masked_links(text if len(text) <= UNSAID_CHARACTERS else f"{text[:UNSAID_CHARACTERS]}…")
    return UNSAID.format(reason=reason, text=shown)


def ended(turn: Turn) -> TurnEnded:
    """The event that a turn ended; without its words if whoever asked was deleted meanwhile."""
    forgotten = turn.exchange is not None and turn.exchange.forgotten
    said, heard = ("", "") if forgotten else (turn.reply_text, turn.heard_text)
    place = turn.prompt.guild_id or 0, turn.id, turn.prompt.channel_id
    return TurnEnded(*place, turn.outcome or "failed", said, heard, turn.answering)


def text_only(reason: str) -> str:
    """What to say when the voice fails and the text goes on."""
    return VOICE_FAILED.format(reason=reason)


def unread(reason: str) -> str:
    """What to say when nothing can be read aloud."""
    return UNREAD.format(reason=reason)
