"""`metadata.json`: what a recording is, who is on it and what happened; docs/recordings.md describes it for people."""

from __future__ import annotations

import json
import re
import stat
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from core.config.recording import TrackFormat
from core.errors import RecordingError
from core.names import shown
from core.private import write_atomically
from core.recording.files import bare_name, segment_name
from core.recording.names import shown_name

if TYPE_CHECKING:
    from pathlib import Path

STOPPED_BY, PAUSED_BY = "Stopped by {name}.", "Paused by {name}."  # reasons, by which whoever did it is found
FILE = "metadata.json"
SCHEMA_VERSION = 1

State = Literal["recording", "rendering", "finished", "failed"]


def _whole(text: object) -> object:
    """Halves of characters, which no file can hold, as question marks."""
    return text.encode(errors="replace").decode() if isinstance(text, str) else text


Name = Annotated[str, BeforeValidator(lambda name: shown_name(name) if isinstance(name, str) else name)]
Text = Annotated[str, BeforeValidator(_whole)]

# What files say is checked: they may be damaged, or brought in from anywhere.
MAX_BYTES = 64_000_000
_KEY = re.compile(r"[a-z_0-9]{1,30}")
MAX_S = 366 * 24 * 3600.0
Id = Annotated[str, Field(pattern=r"^[0-9]{1,20}$"), AfterValidator(lambda text: _known_id(text))]
FileName = Annotated[str, AfterValidator(bare_name)]
SegmentName = Annotated[str, AfterValidator(segment_name)]
Seconds = Annotated[float, Field(ge=-MAX_S, le=MAX_S, allow_inf_nan=False)]


def _known_id(text: str) -> str:
    if int(text) >= 1 << 63:
        raise ValueError("is no id of Discord's")
    return text


class _Part(BaseModel):
    """Unknown keys are refused, so that the schema says everything."""

    model_config = ConfigDict(extra="forbid")


class Named(_Part):
    """Something of Discord's, by id and by the name it had. Ids are strings: JSON numbers do not hold them."""

    id: Id
    name: Name


class Packets(_Part):
    """What became of one person's packets."""

    received: int = 0
    lost: int = Field(default=0, description="Missing from the sender's count, whatever was done about it.")
    late: int = Field(default=0, description="Came after their place had been written; counted as lost too.")
    duplicate: int = 0
    malformed: int = Field(default=0, description="No Opus.")
    overlapping: int = Field(default=0, description="From a second device while the first still spoke.")
    concealed: int = Field(default=0, description="Frames guessed from what came before.")
    recovered: int = Field(default=0, description="Frames recovered from the copy in the next packet.")
    undecryptable: dict[str, int] = Field(default_factory=dict[str, int], description="By cause.")


class MissingSound(_Part):
    """A stretch of a track that damage to its journal took."""

    start_s: Seconds
    duration_s: Seconds
    bytes: int


class RecordedPerson(_Part):
    """One person on the recording."""

    id: Id
    name: Name
    bot: bool = Field(default=False, description="The recording bot itself: what it said and played.")
    first_seen_at: AwareDatetime
    offset_s: Seconds = Field(default=0.0, description="Where the track begins; all begin with the recording.")
    first_sound_s: Seconds | None = None
    journal: FileName | None = Field(default=None, description="Opus as it arrived.")
    track: FileName | None = None
    speech_s: Seconds = 0.0
    peak_dbfs: float | None = None
    packets: Packets = Field(default_factory=Packets)
    missing: list[MissingSound] = Field(default_factory=list[MissingSound])
    fault: Text | None = Field(default=None, description="Why their track breaks off or is missing, as a sentence.")

    @property
    def never_heard(self) -> bool:
        """Whether they spoke, but nothing of it could be decrypted."""
        return self.journal is None and bool(self.packets.undecryptable)


class RecordedSegment(_Part):
    """One utterance."""

    user_id: Id
    file: SegmentName | None = Field(description="The track it is on, or its own file.")
    start_s: Seconds
    duration_s: Seconds


class Note(_Part):
    """What somebody wanted to be found again."""

    at_s: Seconds
    at: AwareDatetime
    text: Text
    by: Named | None = None


class Gap(_Part):
    """A stretch in which nothing was recorded, of everybody or of one person."""

    start_s: Seconds
    duration_s: Seconds
    reason: Text
    pause: bool = Field(default=False, description="Asked for, not suffered.")
    by: Named | None = Field(default=None, description="Who asked for it.")
    user_id: Id | None = Field(default=None, description="Of one person alone; null: of everybody.")


class Audio(_Part):
    """What the finished files are."""

    format: TrackFormat = "wav"
    rate_hz: int = 48_000
    channels: int = 2
    bits: int | None = 16


class ConsentNote(_Part):
    """On what ground people are on the recording."""

    mode: Literal["announce", "opt_in", "opt_out"]
    refused: int = Field(default=0, description="How many refused; who, is not kept.")


class Encryption(_Part):
    """How packets came, at the weakest moment there was."""

    transport: str = ""
    end_to_end: str = Field(default="", description="Version of DAVE, or empty.")

    def weakest(self, now: Encryption | None) -> Encryption:
        """This, or what it is now, whichever protects people less; with None, which is not known, this."""
        if now is None or not self.transport:
            return now or self
        return Encryption(transport=now.transport, end_to_end=min(self.end_to_end, now.end_to_end))


class TranscriptFile(_Part):
    """A text of the recording; reserved for them."""

    file: FileName
    user_id: Id | None = None
    format: str
    language: str | None = None


class Files(_Part):
    """Files of the whole recording."""

    session: FileName | None = None
    timeline: FileName | None = None


class Software(_Part):
    """What recorded it."""

    name: str = "Parley"
    version: str = ""


class Metadata(_Part):
    """Everything about one recording. All times ending in `_s` are seconds since `started_at`."""

    schema_version: Literal[1] = SCHEMA_VERSION
    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    state: State = "recording"
    guild: Named
    channel: Named
    moved_to: list[Named] = Field(default_factory=list[Named], description="Other channels that it went on in.")
    started_at: AwareDatetime
    started_by: Named | None = None
    ended_at: AwareDatetime | None = None
    duration_s: Seconds = 0.0
    reason: str | None = Field(default=None, description="Why it ended, as a sentence.")
    ended_by: Named | None = Field(default=None, description="Who ended it by hand.")
    interrupted: bool = Field(default=False, description="The process died; what was on disk was saved afterwards.")
    audio: Audio = Field(default_factory=Audio)
    consent: ConsentNote
    encryption: Encryption = Field(default_factory=Encryption)
    people: list[RecordedPerson] = Field(default_factory=list[RecordedPerson])
    segments: list[RecordedSegment] = Field(default_factory=list[RecordedSegment])
    notes: list[Note] = Field(default_factory=list[Note])
    gaps: list[Gap] = Field(default_factory=list[Gap])
    files: Files = Field(default_factory=Files)
    transcripts: list[TranscriptFile] = Field(default_factory=list[TranscriptFile])
    software: Software = Field(default_factory=Software)

    @property
    def moved_ids(self) -> tuple[int, ...]:
        """The other channels that it went on in, by id."""
        return tuple(int(channel.id) for channel in self.moved_to)

    def person(self, user_id: int) -> RecordedPerson | None:
        """Somebody on the recording, by id."""
        return next((person for person in self.people if person.id == str(user_id)), None)


def read_metadata(folder: Path) -> Metadata:
    """What a recording's folder says about it.

    Raises:
        RecordingError: There is none, or it is no metadata of ours.
    """
    try:
        return Metadata.model_validate_json(_read(folder / FILE))
    except OSError as error:
        raise RecordingError(f"The recording {shown(folder.name)} cannot be read.") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        known = [str(part) for part in first["loc"] if _KEY.fullmatch(str(part))]  # the others are a stranger's text
        where = ".".join(known)[:100] or "it is not what I write"
        raise RecordingError(f"The metadata of the recording {shown(folder.name)} is damaged ({where}).") from error


def _read(path: Path) -> bytes:
    """What a plain file of bearable size holds; links and other things that have its name are none of ours."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
        raise OSError(f"{path.name} is no plain file, or too large: {found.st_size} bytes")
    return path.read_bytes()


def write_metadata(folder: Path, metadata: Metadata) -> None:
    """Replace the metadata in one step: a reader sees the old or the new, and a crash leaves one of them.

    Raises:
        OSError: The disk is full or gone.
    """
    write_atomically(folder / FILE, metadata.model_dump_json(indent=2).encode())


def schema() -> dict[str, Any]:
    """The JSON schema of `metadata.json`."""
    return json.loads(json.dumps(Metadata.model_json_schema(mode="serialization")))
