"""Words messages that are read aloud: without a model the bot still speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.names import sayable
from core.speech.marks import without_line_marks
from core.speech.speakable import is_sayable

if TYPE_CHECKING:
    from core.clock import Clock
    from core.conversation.turn import Prompt


ENDS = (".", "!", "?", "…", "。", "！", "？", ".)", "!)", "?)", '."', '!"', '?"')


class Announcer:
    """Words what is read: who wrote it (not again within a while), the text, what came along."""

    def __init__(self, clock: Clock, *, names: bool, same_speaker_s: float) -> None:
        self._clock = clock
        self._names = names
        self._same_speaker_s = same_speaker_s
        self._last: dict[int, tuple[int, float]] = {}

    def has_words(self, prompt: Prompt) -> bool:
        """Whether there is anything to say for a message."""
        return bool(prompt.sent) or is_sayable(prompt.text)

    def words(self, prompt: Prompt, name: str | None = None) -> str:
        """What to say for a message; `name` is what its author wants to be called. No name is markup, each can be said."""
        text = without_line_marks(prompt.text.strip())
        sent = prompt.sent
        if not is_sayable(text):
            text = ""
        if not text and not sent:
            return ""
        speaker = sayable(name or "", "") or sayable(prompt.author_name) if self._new_speaker(prompt) else ""
        if not text:
            return f"{speaker or 'They'} sent {sent}."
        if sent:
            text = f"{_closed(text)} And {sent}."
        row = "\n" if text.startswith("|") and not text.startswith("||") else " "  # a table has to begin a line
        return f"{speaker} said:{row}{text}" if speaker else text

    def forget(self, user_id: int) -> None:
        """Forget where somebody was the last to write."""
        self._last = {place: last for place, last in self._last.items() if last[0] != user_id}

    def _new_speaker(self, prompt: Prompt) -> bool:
        now = self._clock.monotonic()
        last = self._last.get(prompt.conversation_id)
        self._last[prompt.conversation_id] = (prompt.author_id, now)
        if not self._names:
            return False
        return last is None or last[0] != prompt.author_id or now - last[1] > self._same_speaker_s


def _closed(text: str) -> str:
    """Returns a text with an end to its last sentence; marks that stand behind it are looked through."""
    bare = text.rstrip().rstrip("*_~|`")
    if text.count("```") % 2 or text.rstrip().endswith(("```", "||")):
        return f"{text.rstrip()}\n"
    return text.rstrip() if bare.endswith(ENDS) else f"{text.rstrip().rstrip(',;:')}."
