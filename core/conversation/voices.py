"""The voice each person chose for their messages."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core.errors import SpeechError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.store.settings import PersonVoice, SettingsRepository

DEFAULT = "default"
CHOICES = 25  # what Discord shows at most


class VoiceWishes:
    """Sets and words a person's voice. `names` is what the engine of the last session offers."""

    def __init__(self, settings: SettingsRepository) -> None:
        self._settings = settings
        self.names: Sequence[str] = ()

    def matching(self, partial: str) -> list[str]:
        """Names of voices that contain `partial`, at most 25."""
        wanted = partial.casefold()
        return [name for name in (DEFAULT, *self.names) if wanted in name.casefold()][:CHOICES]

    async def set(
        self,
        user_id: int,
        *,
        voice: str | None = None,
        rate: float | None = None,
        pitch: float | None = None,
        nickname: str | None = None,
    ) -> PersonVoice:
        """Change what is given, keep the rest; the voice `default` goes back to the bot's own.

        Raises:
            SpeechError: The engine has no such voice.
        """
        kept = await self._settings.person_voice(user_id)
        if voice is not None and voice.casefold() == DEFAULT:
            kept = replace(kept, voice=None, rate=None, pitch=None)
        elif voice is not None:
            if self.names and voice not in self.names:
                raise SpeechError(f"There is no such voice. Some that are: {', '.join(self.names[:10])}.")
            kept = replace(kept, voice=voice)
        if rate is not None:
            kept = replace(kept, rate=rate)
        if pitch is not None:
            kept = replace(kept, pitch=pitch)
        if nickname is not None:
            kept = replace(kept, nickname=" ".join(nickname.split()))
        await self._settings.save_person_voice(kept)
        return kept


def describe(wish: PersonVoice) -> str:
    """A person's voice in words."""
    parts = [f"the voice “{wish.voice}”" if wish.voice else "my own voice"]
    if wish.rate is not None:
        parts.append(f"{wish.rate:.0%} speed")
    if wish.pitch is not None:
        parts.append(f"pitch {wish.pitch:+.0f}")
    if wish.nickname:
        parts.append(f"you are called “{wish.nickname}”")
    return ", ".join(parts)
