"""Without a model the bot still speaks: it reads the prompt channel aloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.speech.speakable import is_sayable

if TYPE_CHECKING:
    from core.clock import Clock
    from core.conversation.turn import Prompt


class ReadAloud:
    """Words what is read: who wrote it (not again within a while), the text, what came along."""

    def __init__(self, clock: Clock, *, names: bool, same_speaker_s: float) -> None:
        self._clock = clock
        self._names = names
        self._same_speaker_s = same_speaker_s
        self._last: dict[int, tuple[int, float]] = {}

    def words(self, prompt: Prompt, name: str | None = None) -> str:
        """What to say for a message; `name` is what its author wants to be called."""
        text = prompt.text.strip()
        sent = prompt.sent
        if not is_sayable(text):
            text = ""
        if not text and not sent:
            return ""
        speaker = (name or prompt.author_name) if self._new_speaker(prompt) else ""
        if text and sent:
            text = f"{text.rstrip('.')}. And {sent}."
        elif sent:
            return f"{speaker or 'They'} sent {sent}."
        return f"{speaker} said: {text}" if speaker else text

    def _new_speaker(self, prompt: Prompt) -> bool:
        now = self._clock.monotonic()
        last = self._last.get(prompt.conversation_id)
        self._last[prompt.conversation_id] = (prompt.author_id, now)
        if not self._names:
            return False
        return last is None or last[0] != prompt.author_id or now - last[1] > self._same_speaker_s
