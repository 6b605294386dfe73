"""`transcript.json`: who said what on a recording, and when; docs/hearing.md describes it for people."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from core.errors import HearingError
from core.private import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

SCHEMA_VERSION = 1
MAX_BYTES = 256_000_000
MAX_S = 366 * 24 * 3600.0
UNREADABLE = "The transcript {name} cannot be read."
DAMAGED = "The transcript {name} is damaged ({where})."


def _whole(text: object) -> object:
    """Halves of characters, which no file can hold, as question marks."""
    return text.encode(errors="replace").decode() if isinstance(text, str) else text


Text = Annotated[str, BeforeValidator(_whole)]
Seconds = Annotated[float, Field(ge=0, le=MAX_S, allow_inf_nan=False)]
UserId = Annotated[str, Field(pattern=r"^[0-9]{1,19}$")]
SpeakerId = Annotated[str, Field(pattern=r"^[0-9]{1,19}(:[0-9]{1,3})?$")]


class _Part(BaseModel):
    """Unknown keys are refused, so that the schema says everything."""

    model_config = ConfigDict(extra="forbid")


class SpokenWord(_Part):
    """One word."""

    text: Text
    start_s: Seconds
    end_s: Seconds
    confidence: float = Field(ge=0, le=1, allow_inf_nan=False)


class TranscriptSpeaker(_Part):
    """Somebody who is heard: a person, or one of several behind the same microphone."""

    id: SpeakerId = Field(description="The person's id; of several behind one microphone with their number behind it.")
    user_id: UserId
    name: Text
    voice: int | None = Field(default=None, ge=1, le=999, description="Which of the voices behind this microphone.")
    named: bool = Field(default=False, description="Whether somebody gave this voice its name.")


class Said(_Part):
    """Something said without a long pause."""

    speaker: SpeakerId
    start_s: Seconds
    end_s: Seconds
    text: Text
    language: str | None = Field(default=None, max_length=20, description="ISO 639-1, if the recogniser tells.")
    words: list[SpokenWord] = Field(default_factory=list[SpokenWord], description="None if it tells no times of words.")

    @property
    def user_id(self) -> str:
        """Behind whose microphone it was said."""
        return self.speaker.partition(":")[0]


class Recogniser(_Part):
    """What made the text."""

    engine: Text = ""
    model: Text = ""
    settings: Text = Field(default="", description="What was asked for; text is made anew when that changes.")


class WrittenBy(_Part):
    """What wrote it."""

    name: str = "Parley"
    version: str = ""


class Transcript(_Part):
    """Who said what. All times are seconds since the recording began, as on its tracks."""

    schema_version: Literal[1] = SCHEMA_VERSION
    recording: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="The recording's id.")
    state: Literal["live", "partial", "finished"] = Field(
        default="finished",
        description="live: written while it was recorded; partial: recognition is at until_s; finished: all of it.",
    )
    until_s: Seconds = 0.0
    recogniser: Recogniser = Field(default_factory=Recogniser)
    speakers: list[TranscriptSpeaker] = Field(default_factory=list[TranscriptSpeaker])
    segments: list[Said] = Field(default_factory=list[Said])
    software: WrittenBy = Field(default_factory=WrittenBy)

    def speaker(self, speaker_id: str) -> TranscriptSpeaker | None:
        """A speaker, by their id here."""
        return next((each for each in self.speakers if each.id == speaker_id), None)

    def names(self) -> dict[str, str]:
        """What speakers are called, by their ids."""
        return {each.id: each.name for each in self.speakers}

    @property
    def language(self) -> str | None:
        """The language of most of it."""
        found = [each.language for each in self.segments if each.language]
        return max(found, key=found.count, default=None)

    @property
    def text(self) -> str:
        """All that was said, in one line."""
        return " ".join(each.text for each in self.segments)

    def call(self, user_id: str, name: str) -> None:
        """Call a person what they are called now; voices that somebody named keep their names."""
        for each in self.speakers:
            if each.user_id == user_id and not each.named:
                each.name = name if each.voice is None else f"{name} ({each.voice})"


def merge(recording: str, parts: Iterable[Transcript], software: WrittenBy) -> Transcript:
    """Everybody's words in one transcript, in the order of time."""
    whole = Transcript(recording=recording, software=software)
    for part in parts:
        whole.speakers += part.speakers
        whole.segments += part.segments
        if part.state != "finished":
            whole.state = "live" if "live" in (part.state, whole.state) else "partial"
        whole.until_s = max(whole.until_s, part.until_s)
        whole.recogniser = part.recogniser
    whole.segments.sort(key=lambda said: (said.start_s, said.end_s, said.speaker))
    return whole


def clean_names(transcript: Transcript, clean: Callable[[str], str]) -> bool:
    """Take somebody's name out of what others said; whether it was there."""
    changed = False
    for said in transcript.segments:
        cleaned = clean(said.text)
        if cleaned == said.text:
            continue
        changed = True
        said.text = cleaned
        for word in said.words:
            word.text = clean(word.text)
        joined = " ".join(word.text for word in said.words)
        if clean(joined) != joined:  # a name of several words
            said.words = []
    return changed


def read_transcript(path: Path) -> Transcript:
    """A transcript from its file.

    Raises:
        HearingError: It is not there, or is no transcript of ours.
    """
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > MAX_BYTES:
            raise OSError(f"{path.name} is no plain file, or too large: {about.st_size} bytes")
        return Transcript.model_validate_json(path.read_bytes())
    except OSError as error:
        raise HearingError(UNREADABLE.format(name=path.name)) from error
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_url=False, include_input=False)[0]["loc"])[:60]
        raise HearingError(DAMAGED.format(name=path.name, where=where or "it is not what I write")) from error


def write_transcript(path: Path, transcript: Transcript) -> None:
    """Replace a transcript's file in one step.

    Raises:
        OSError: The disk is full or gone.
    """
    write_atomically(path, transcript.model_dump_json(indent=1).encode())


def schema() -> dict[str, Any]:
    """The JSON schema of `transcript.json`."""
    return json.loads(json.dumps(Transcript.model_json_schema(mode="serialization")))
