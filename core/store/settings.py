"""What people set with commands: the prompt channel of a guild, and the voice of a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

from core.store.base import Base

if TYPE_CHECKING:
    from core.store.store import Store


class GuildSettingsRow(Base):
    """Settings of one guild."""

    __tablename__ = "guild_settings"

    guild_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    prompt_channel_id: Mapped[int | None]
    persona: Mapped[str | None]
    volume: Mapped[float | None]


class PersonVoiceRow(Base):
    """The voice in which one person's messages are read, and which name to say."""

    __tablename__ = "person_voice"

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    voice: Mapped[str | None]
    rate: Mapped[float | None]
    pitch: Mapped[float | None]
    nickname: Mapped[str | None]
    language: Mapped[str | None]  # that they speak


@dataclass(frozen=True, slots=True)
class GuildSettings:
    """Settings of one guild; None where nothing was set."""

    guild_id: int
    prompt_channel_id: int | None = None
    persona: str | None = None
    volume: float | None = None


@dataclass(frozen=True, slots=True)
class PersonVoice:
    """A person's voice; None where nothing was set. `rate` is a factor, `pitch` is in semitones."""

    user_id: int
    voice: str | None = None
    rate: float | None = None
    pitch: float | None = None
    nickname: str | None = None
    language: str | None = None  # that they speak, as a code


class SettingsRepository:
    """Reads and writes what people set."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._languages: dict[int, str] = {}

    async def learn_languages(self) -> None:
        """Read which language each person speaks, so that it is at hand when they do."""
        query = select(PersonVoiceRow.user_id, PersonVoiceRow.language).where(PersonVoiceRow.language.is_not(None))
        async with self._store.transaction() as session:
            rows = (await session.execute(query)).all()
        self._languages = {user_id: language for user_id, language in rows if language}

    def language_of(self, user_id: int) -> str | None:
        """The language that a person said they speak, from memory."""
        return self._languages.get(user_id)

    async def guild(self, guild_id: int) -> GuildSettings:
        """The settings of a guild, empty ones if nothing was ever set."""
        async with self._store.transaction() as session:
            row = await session.get(GuildSettingsRow, guild_id)
        if row is None:
            return GuildSettings(guild_id)
        return GuildSettings(guild_id, row.prompt_channel_id, row.persona, row.volume)

    async def save_guild(self, settings: GuildSettings) -> None:
        """Write the settings of a guild."""
        async with self._store.transaction() as session:
            await session.merge(
                GuildSettingsRow(
                    guild_id=settings.guild_id,
                    prompt_channel_id=settings.prompt_channel_id,
                    persona=settings.persona,
                    volume=settings.volume,
                )
            )

    async def prompt_channels(self) -> dict[int, int]:
        """The prompt channel of every guild that set one."""
        async with self._store.transaction() as session:
            rows = await session.scalars(
                select(GuildSettingsRow).where(GuildSettingsRow.prompt_channel_id.is_not(None))
            )
            return {row.guild_id: row.prompt_channel_id for row in rows if row.prompt_channel_id is not None}

    async def person_voice(self, user_id: int) -> PersonVoice:
        """The voice of a person, an empty one if nothing was ever set."""
        async with self._store.transaction() as session:
            row = await session.get(PersonVoiceRow, user_id)
        if row is None:
            return PersonVoice(user_id)
        return PersonVoice(user_id, row.voice, row.rate, row.pitch, row.nickname, row.language)

    async def delete_person_voice(self, user_id: int) -> bool:
        """Forget the voice of a person; whether they had set one."""
        self._languages.pop(user_id, None)
        async with self._store.transaction() as session:
            row = await session.get(PersonVoiceRow, user_id)
            if row is not None:
                await session.delete(row)
        return row is not None

    async def save_person_voice(self, voice: PersonVoice) -> None:
        """Write the voice of a person."""
        async with self._store.transaction() as session:
            await session.merge(
                PersonVoiceRow(
                    user_id=voice.user_id,
                    voice=voice.voice,
                    rate=voice.rate,
                    pitch=voice.pitch,
                    nickname=voice.nickname,
                    language=voice.language,
                )
            )
        if voice.language:
            self._languages[voice.user_id] = voice.language
        else:
            self._languages.pop(voice.user_id, None)
