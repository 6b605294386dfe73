"""`[hearing]`: how voices become text, and when the bot answers them."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from core.config.section import VARIABLE, Section, Snowflake

HearingEngineName = Literal["embedded", "whisper", "openai", "wyoming", "off"]
CommandName = Literal["leave", "stop", "skip", "louder", "quieter", "record", "stop_recording", "who", "missed"]
COMMANDS: tuple[CommandName, ...] = get_args(CommandName)
Phrase = Annotated[str, Field(min_length=2, max_length=60, pattern=r"\w")]
_LANGUAGE = r"^(auto|[a-z]{2,3})$"


class WhisperSection(Section):
    """`[hearing.whisper]`: Whisper on this machine, also for `embedded`."""

    folder: str = Field(
        default="data/models",
        min_length=1,
        description="Where `launcher.py models get` puts models, and they are found.",
    )
    cpu_threads: int = Field(default=1, ge=1, le=64, description="Cores that one process uses.")
    beam: int = Field(default=1, ge=1, le=10, description="Beam width of what is said live; more is slower.")
    recording_beam: int = Field(default=5, ge=1, le=10, description="The same of recordings.")


class OpenAIHearingSection(Section):
    """`[hearing.openai]`: an OpenAI-style `/v1/audio/transcriptions` server: speaches, whisper.cpp, Groq, OpenAI."""

    base_url: str = Field(
        default="http://127.0.0.1:8000/v1", pattern=r"^https?://", description="Address up to and including /v1."
    )
    model: str = Field(default="whisper-1", min_length=1)
    api_key_env: str = Field(
        default="HEARING_API_KEY",
        pattern=VARIABLE,
        description="Environment variable that holds the key, if one is needed.",
    )
    retries: int = Field(default=2, ge=0, le=10, description="New tries after a busy or broken server.")


class WyomingHearingSection(Section):
    """`[hearing.wyoming]`: a Wyoming server over TCP, as Home Assistant's."""

    host: str = "127.0.0.1"
    port: int = Field(default=10300, ge=1, le=65535)
    model: str = Field(default="", description="One of the server's; empty takes its own choice.")


class TranscriptsSection(Section):
    """`[hearing.transcripts]`: recordings as text."""

    auto: bool = Field(
        default=True, description="Write a transcript of every recording when it is over; else when somebody asks."
    )
    live: Literal["heard", "always", "off"] = Field(
        default="heard",
        description="What is written down while a recording runs, to be found before its end. heard: what the bot hears "
        "anyway, at no further cost; always: everybody, also where it answers nobody; off: nothing.",
    )
    model: str = Field(
        default="", description="Model for recordings, of the same engine; empty takes that of `[hearing]`."
    )
    summary: bool = Field(
        default=False, description="Write minutes of every transcript by itself, with the model of `[model]`."
    )
    summary_route: str = Field(default="", description="Route of `[model]` for minutes; empty takes the current one.")
    summary_characters: int = Field(
        default=12_000,
        ge=1_000,
        le=1_000_000,
        description="Text that the model gets at once; longer ones come in parts.",
    )
    summary_parts: int = Field(
        default=24, ge=1, le=1_000, description="Parts at most: of a longer recording the minutes say where they end."
    )


class CommandsSection(Section):
    """`[hearing.commands]`: what people say to the bot as commands, behind its name; beside the English phrases."""

    enabled: bool = Field(default=True, description="Whether people may command the bot by voice.")
    leave: list[Phrase] = Field(default_factory=list[str], description="Other phrases for “leave”, in any language.")
    stop: list[Phrase] = Field(default_factory=list[str], description="For “stop”.")
    skip: list[Phrase] = Field(default_factory=list[str], description="For “skip”.")
    louder: list[Phrase] = Field(default_factory=list[str], description="For “louder”.")
    quieter: list[Phrase] = Field(default_factory=list[str], description="For “quieter”.")
    record: list[Phrase] = Field(default_factory=list[str], description="For “record”.")
    stop_recording: list[Phrase] = Field(default_factory=list[str], description="For “stop recording”.")
    who: list[Phrase] = Field(default_factory=list[str], description="For “who is here”.")
    missed: list[Phrase] = Field(default_factory=list[str], description="For “what did I miss”.")

    @property
    def phrases(self) -> dict[CommandName, list[str]]:
        """The phrases of each command."""
        return {name: getattr(self, name) for name in COMMANDS}

    @model_validator(mode="after")
    def _each_means_one_thing(self) -> Self:
        meanings: dict[str, str] = {}
        for name in COMMANDS:
            for phrase in self.phrases[name]:
                other = meanings.setdefault(" ".join(phrase.casefold().split()), name)
                if other != name:
                    raise ValueError(f"“{phrase}” stands for {other} and for {name}: a phrase means one thing")
        return self


class HearingSection(Section):
    """How what is said becomes text, and when the bot answers it."""

    engine: HearingEngineName = Field(
        default="embedded",
        description="embedded: a small English Whisper that is installed with Parley; whisper: any other on this "
        "machine; openai, wyoming: a server; off: nobody is heard.",
    )
    model: str = Field(
        default="tiny.en",
        min_length=1,
        description="For whisper: a name such as small, which `launcher.py models get` fetches, or a folder.",
    )
    device: Literal["cpu", "cuda", "auto"] = Field(default="cpu", description="For whisper.")
    compute_type: Literal["auto", "int8", "int8_float16", "int8_float32", "float16", "float32"] = Field(
        default="auto", description="For whisper; auto is int8 on a CPU, int8_float16 on a GPU."
    )
    language: str = Field(
        default="auto",
        pattern=_LANGUAGE,
        description="Code of the language that is spoken, or auto; each person may differ.",
    )
    deadline_s: float = Field(default=20, gt=0, le=600, description="How long one utterance may take to become text.")
    answer: Literal["addressed", "alone", "always", "never"] = Field(
        default="addressed",
        description="addressed: who says its name is answered, and who is alone with it; alone: only who is alone "
        "with it; always: everybody; never: nobody.",
    )
    wake_names: list[str] = Field(
        default_factory=list[str], description="Names that it is called by; none takes that of `[prompt]`."
    )
    end_of_turn_s: float = Field(default=0.6, ge=0.2, le=5, description="Silence that ends somebody's turn.")
    max_wait_s: float = Field(default=2.0, ge=0.2, le=10, description="The same after an unfinished sentence.")
    speculate: bool = Field(
        default=False,
        description="Ask the model as soon as somebody may be finished, and throw the answer away if they go on: sooner, and at "
        "most one request more a turn.",
    )
    barge_in: Literal["pause", "duck", "off"] = Field(
        default="pause", description="What the bot's voice does when somebody speaks into it."
    )
    attachments: bool = Field(
        default=True, description="Listen to voice messages and sound files that are sent with a prompt."
    )
    max_attachment_s: float = Field(
        default=600, ge=1, le=3600, description="Longest of them, in seconds; `[voice] upload_limit_mb` is the largest."
    )
    shared: list[Snowflake] = Field(
        default_factory=list[int], description="Ids of users behind whose microphone several people sit."
    )
    whisper: WhisperSection = WhisperSection()
    openai: OpenAIHearingSection = OpenAIHearingSection()
    wyoming: WyomingHearingSection = WyomingHearingSection()
    transcripts: TranscriptsSection = TranscriptsSection()
    commands: CommandsSection = CommandsSection()
