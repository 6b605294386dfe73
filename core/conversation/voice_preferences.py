"""The voice each person chose for their messages."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from core.discord_limits import CHOICES
from core.errors import HearingError, SpeechError
from core.hearing.languages import NAMES, code_of
from core.names import term
from core.speech.engine import Voice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.config.speech import SpeechSection
    from core.speech.speaker import Speaker
    from core.store.settings import PersonVoice, SettingsRepository

_log = logging.getLogger(__name__)

DEFAULT = "default"
NO_LANGUAGE = "I know no such language. Name it by its code or in English: `de`, `German`, `pt`, `Japanese`."
NAME_LIMIT = 100  # characters of one choice


class VoicePreferences:
    """Sets, words and looks up a person's voice. `names` is what the engine of the last session offers, if it tells."""

    def __init__(self, settings: SettingsRepository, section: SpeechSection) -> None:
        self._settings = settings
        self._section = section
        self.names: Sequence[str] = ()

    async def learn(self, speaker: Speaker) -> None:
        """Ask an engine for its voices; one that cannot tell takes any name."""
        try:
            self.names = tuple(await speaker.voices())
        except SpeechError as error:
            _log.info("the voices are not known: %s", error.sentence, exc_info=error.__cause__)
            self.names = ()

    def matching(self, partial: str) -> list[str]:
        """Names of voices that contain `partial`, at most 25; those that begin with it come first."""
        wanted = partial.casefold()
        found = [name for name in (DEFAULT, *self.names) if wanted in name.casefold() and len(name) <= NAME_LIMIT]
        return sorted(found, key=lambda name: not name.casefold().startswith(wanted))[:CHOICES]

    async def voice(self, user_id: int) -> Voice:
        """The voice a person chose, over the configured one; a name that this engine does not have is passed over."""
        wish = await self._settings.person_voice(user_id)
        return Voice(
            wish.voice if wish.voice and self.has(wish.voice) else "",
            self._section.rate if wish.rate is None else wish.rate,
            self._section.pitch if wish.pitch is None else wish.pitch,
        )

    async def set(
        self,
        user_id: int,
        *,
        voice: str | None = None,
        rate: float | None = None,
        pitch: float | None = None,
        nickname: str | None = None,
        language: str | None = None,
    ) -> PersonVoice:
        """Change what is given, keep the rest; the voice `default` is the bot's own, nickname and language `default` none.

        Raises:
            SpeechError: The engine has no such voice.
            HearingError: There is no such language.
        """
        spoken = None if language is None or language.casefold() in (DEFAULT, "auto") else code_of(language)
        if spoken == "":
            raise HearingError(NO_LANGUAGE)
        kept = await self._settings.person_voice(user_id)
        if voice is not None and voice.casefold() == DEFAULT:
            kept = replace(kept, voice=None, rate=None, pitch=None)
        elif voice is not None:
            if not self.has(voice):
                raise SpeechError(
                    f"There is no such voice. Some that are: {', '.join(term(name) for name in self.names[:10])}."
                )
            kept = replace(kept, voice=voice)
        if rate is not None:
            kept = replace(kept, rate=rate)
        if pitch is not None:
            kept = replace(kept, pitch=pitch)
        if nickname is not None:
            named = " ".join(nickname.split())
            kept = replace(kept, nickname=None if named.casefold() == DEFAULT else named)
        if language is not None:
            kept = replace(kept, language=spoken)
        await self._settings.save_person_voice(kept)
        return kept

    def has(self, voice: str) -> bool:
        """Whether the engine offers a voice; a variant such as `en-us+f3` stands for its language."""
        return not self.names or voice in self.names or voice.partition("+")[0] in self.names


def describe(wish: PersonVoice) -> str:
    """A person's voice in words."""
    parts = [f"the voice “{wish.voice}”" if wish.voice else "my own voice"]
    if wish.rate is not None:
        parts.append(f"{wish.rate:.0%} speed")
    if wish.pitch is not None:
        parts.append(f"pitch {wish.pitch:+.0f}")
    if wish.nickname:
        parts.append(f"you are called “{wish.nickname}”")
    if wish.language:
        parts.append(f"you speak {NAMES.get(wish.language, wish.language).capitalize()}")
    return ", ".join(parts)
