"""What a character is made of: the keys of its file, checked, and the sheet that the rest of the house reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import Field, ValidationError, field_validator

from core.config.persona import SPAN
from core.config.section import Section
from core.errors import PersonaError
from core.names import plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

LONGEST_TEXT = 20_000  # characters of a description, and of each of the other texts
LONGEST_NAME = 60
SHORTEST_CALL = 3  # letters of a name that calls: shorter ones are words too often
MOST_MOODS, MOST_TRIGGERS = 24, 20
BARE_FILE = r"^$|^[^/\\:\x00-\x1f.][^/\\:\x00-\x1f]*$"  # a file beside the character's own, never a path

Feeling = Literal["praise", "insult", "joy", "sadness", "anger", "fear", "surprise", "affection", "thanks", "calm"]
FEELINGS: tuple[Feeling, ...] = get_args(Feeling)

LongText = Annotated[str, Field(max_length=LONGEST_TEXT)]


class VoiceTable(Section):
    """`[voice]`: in what voice it speaks; without a name, in that of whoever asks."""

    name: str = Field(default="", max_length=100)
    rate: float = Field(default=1.0, ge=0.5, le=2)
    pitch: float = Field(default=0.0, ge=-12, le=12)


class MoodTable(Section):
    """`[[moods]]`: one way it can feel."""

    name: str = Field(min_length=1, max_length=32)
    emoji: str = Field(default="", max_length=16)
    told: str = Field(default="", max_length=500, description="What the model hears of it.")
    weight: float = Field(default=1.0, ge=0, le=10, description="How much it is its nature; the heaviest is its rest.")
    drift: float = Field(default=0.3, ge=0, le=5, description="How far it comes and goes by itself.")
    half_life_s: float = Field(
        default=1800, ge=10, le=7 * 86400, description="After this long a push is half as strong."
    )
    pitch: float = Field(default=0.0, ge=-12, le=12, description="Semitones added to the voice.")
    rate: float = Field(default=1.0, ge=0.5, le=2, description="A factor on its speed.")
    avatar: str = Field(
        default="", max_length=100, pattern=BARE_FILE, description="A picture beside the character's file."
    )
    moved_by: dict[Feeling, float] = Field(
        default_factory=dict[Feeling, float], description="How much what is said pushes it, -5 to 5."
    )

    @field_validator("name", "emoji")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return plain(value, 32)

    @field_validator("moved_by")
    @classmethod
    def _bounded(cls, value: dict[Feeling, float]) -> dict[Feeling, float]:
        for feeling, push in value.items():
            if not -5 <= push <= 5:
                raise ValueError(f"{feeling} = {push:g} is allowed from -5 to 5")
        return value


class CharacterTable(Section):
    """The keys of a character's file."""

    name: str = Field(min_length=1, max_length=200)
    description: LongText = ""
    personality: LongText = ""
    scenario: LongText = ""
    instruction: LongText = Field(default="", description="How it is to speak; never above the bot's own rules.")
    example: LongText = Field(default="", description="How it talks: lines that begin with {{user}}: and {{char}}:.")
    greeting: LongText = Field(default="", description="What it says when it is put to use.")
    triggers: list[Annotated[str, Field(min_length=2, max_length=40)]] = Field(
        default_factory=list[str],
        max_length=MOST_TRIGGERS,
        description="Words that call it, like a mention; without this key, its name.",
    )
    likes: list[Annotated[str, Field(pattern=f"^{SPAN}$")]] = Field(
        default_factory=list[str],
        max_length=10,
        description="Times of the day at which it likes to speak up: 18:00-22:00.",
    )
    route: str = Field(default="", max_length=100, description="The model route that answers for it.")
    voice: VoiceTable = VoiceTable()
    avatar: str = Field(default="", max_length=100, pattern=BARE_FILE, description="A picture beside the file.")
    moods: list[MoodTable] = Field(default_factory=list[MoodTable], max_length=MOST_MOODS)

    @field_validator("name")
    @classmethod
    def _visible(cls, value: str) -> str:
        name = plain(value, LONGEST_NAME)
        if not any(character.isalnum() for character in name):
            raise ValueError("has no letter or digit that can be seen")
        return name

    @field_validator("triggers")
    @classmethod
    def _words(cls, value: list[str]) -> list[str]:
        words = [plain(word, 40) for word in value]
        for word in words:
            if sum(character.isalnum() for character in word) < 2:
                raise ValueError(f"“{word}” needs two letters or digits")
        return words

    @field_validator("moods")
    @classmethod
    def _told_apart(cls, value: list[MoodTable]) -> list[MoodTable]:
        names = [mood.name.casefold() for mood in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two moods are called “{name}”")
        return value


@dataclass(frozen=True, slots=True)
class Sheet:
    """One character that can be used.

    Args:
        id: Tells it apart from the others, in what is stored and remembered: the name of its file, or of its import.
        table: What it is made of.
        guild_id: The one server that it belongs to; None: every server.
        folder: Where its pictures lie.
        picture: The file of its own picture, if it has one.
    """

    id: str
    table: CharacterTable
    guild_id: int | None = None
    folder: Path | None = None
    picture: Path | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return self.table.name

    @property
    def called(self) -> tuple[str, ...]:
        """The words that call it: its triggers, or its name where nothing was said of them."""
        named = "triggers" not in self.table.model_fields_set and len(self.name) >= SHORTEST_CALL
        return (self.name,) if named else tuple(self.table.triggers)

    def mood_picture(self, mood: str) -> Path | None:
        """The picture of one of its moods; its own where the mood has none."""
        for each in self.table.moods:
            if each.name == mood and each.avatar and self.folder is not None:
                return self.folder / each.avatar
        return self.picture


def checked(given: Mapping[str, object], file: str) -> CharacterTable:
    """The keys of a file as a character.

    Raises:
        PersonaError: A key or a value is not allowed; one line a fault names file, key, what was given, what is allowed.
    """
    try:
        return CharacterTable.model_validate(given)
    except ValidationError as error:
        faults = [_described(fault) for fault in error.errors()[:10]]
        raise PersonaError("\n".join(f"{plain(file)}: {fault}" for fault in faults)) from error


def _described(fault: ErrorDetails) -> str:
    where = [str(part) for part in fault["loc"]]
    key = plain(".".join(where)) or "the file"
    if fault["type"] == "extra_forbidden":
        return f"{key} is not a known key; known are: {', '.join(_known(where[:-1]))}."
    if fault["type"] == "missing":
        return f"{key} is missing."
    message = fault["msg"].removeprefix("Value error, ")
    given = fault["input"]
    shown = f" = {plain(repr(given), 60)}" if isinstance(given, str | int | float | bool) else ""
    return f"{key}{shown}: {message[:1].lower()}{message[1:]}."


def _known(where: list[str]) -> list[str]:
    """The keys of the table that a path leads to."""
    table: type[Section] = (
        {"moods": MoodTable, "voice": VoiceTable}.get(where[0], CharacterTable) if where else CharacterTable
    )
    return sorted(table.model_fields)
