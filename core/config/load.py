"""Read `config.toml` and `.env`, and refuse what is wrong with file, key, what was given and what is allowed."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from core.config.fetch import FetchSection
from core.config.hearing import HearingSection
from core.config.lockdown import LockdownSection
from core.config.model import ModelSection
from core.config.music import MusicSection
from core.config.persona import PersonaSection
from core.config.prompt import PromptSection
from core.config.recording import RecordingSection
from core.config.schedule import ScheduleSection
from core.config.speech import SpeechSection
from core.config.studio import StudioSection
from core.config.system import LogSection, StoreSection
from core.config.trainer import TrainerSection
from core.config.voice import VoiceSection
from core.config.watch import WatchSection
from core.config.workers import WorkersSection
from core.errors import ConfigError
from core.redaction import HIDDEN, redacted

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

CHECKOUT = Path(__file__).resolve().parents[2]  # every relative path of the configuration starts here
PREFIX = "PARLEY_"  # PARLEY_VOICE__MAX_SESSIONS=2 overrides [voice] max_sessions
SECRET_TABLES = ("headers", "extra_headers", "extra_body", "lock_body", "unlock_body")
ENCODING = "utf-8-sig"  # some editors of Windows begin a file with a mark, which is no part of it
NO_UTF8 = "{file} is not written in UTF-8. Save it anew in that encoding."
NO_JSON = '{variable} in the environment holds no list or table. Those are written as JSON: [1, 2] or {{"key": 1}}.'
NO_HEADER = (
    "{file}: {where}: header_env takes the value of “{header}” from the variable {variable}, which is not "
    "set. Put it into .env or into the environment."
)


class Environment(Mapping[str, str]):
    """The process's environment over the `.env` file. Its values never show in `repr`, logs or errors."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    @classmethod
    def read(cls, dotenv: Path | None = None) -> Environment:
        """The variables of `.env` (of the checkout, unless named) with those of the process over them.

        Raises:
            ConfigError: The file cannot be read.
        """
        from dotenv import dotenv_values

        file = dotenv or CHECKOUT / ".env"
        try:
            found = dotenv_values(file, encoding=ENCODING)
        except UnicodeDecodeError as error:  # PowerShell's `>` writes UTF-16
            raise ConfigError(NO_UTF8.format(file=file.name)) from error
        except OSError as error:
            raise ConfigError(f"{file.name} cannot be read: {error.strerror}.") from error
        return cls({**{key: value for key, value in found.items() if value is not None}, **os.environ})

    def __getitem__(self, key: str) -> str:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<Environment of {len(self._values)} variables>"


class Config(BaseSettings):
    """Everything that can be set, one attribute a table of `config.toml`."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        validate_default=True,
        hide_input_in_errors=True,
    )

    voice: VoiceSection = VoiceSection()
    music: MusicSection = MusicSection()
    speech: SpeechSection = SpeechSection()
    hearing: HearingSection = HearingSection()
    model: ModelSection = ModelSection()
    prompt: PromptSection = PromptSection()
    recording: RecordingSection = RecordingSection()
    lockdown: LockdownSection = LockdownSection()
    studio: StudioSection = StudioSection()
    persona: PersonaSection = PersonaSection()
    schedule: ScheduleSection = ScheduleSection()
    fetch: FetchSection = FetchSection()
    watch: WatchSection = WatchSection()
    trainer: TrainerSection = TrainerSection()
    store: StoreSection = StoreSection()
    workers: WorkersSection = WorkersSection()
    log: LogSection = LogSection()
    base: Path = Field(default=CHECKOUT, exclude=True, description="Where relative paths start; not a key of the file.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes over the file."""
        return env_settings, init_settings

    def path(self, value: str | Path) -> Path:
        """A path of the configuration: relative ones start at the checkout."""
        path = Path(value).expanduser()
        return path if path.is_absolute() else self.base / path


def load(path: Path | None = None, *, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read a configuration file; without a path, `config.toml` of the checkout, which may be missing.

    Raises:
        ConfigError: The file cannot be read, is no TOML, or has a key or value that is not allowed. The message has
            one line for each fault.
    """
    file = path or CHECKOUT / "config.toml"
    data: dict[str, Any] = {}
    if path is not None or file.exists():
        try:
            data = tomllib.loads(file.read_text(encoding=ENCODING))
        except OSError as error:
            raise ConfigError(f"{file.name} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise ConfigError(NO_UTF8.format(file=file.name)) from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{file.name} is not valid TOML: {error}.") from error
    if "base" in data:
        raise ConfigError(f"{file.name}: 'base' is not a known section.")
    try:
        return Config(**_merge(data, overrides or {}))
    except ValidationError as error:
        faults = [f"{_source(fault, file)}: {_describe(fault)}" for fault in error.errors()]
        raise ConfigError("\n".join(faults)) from error
    except SettingsError as error:
        raise ConfigError("\n".join(NO_JSON.format(variable=name) for name in _unparsable())) from error


def require_secrets(config: Config, environ: Mapping[str, str], file: str = "config.toml") -> None:
    """Refuse settings that name variables which do not exist, where nothing would work without them.

    Keys of models and speech services are asked for when those are used: some servers take none.

    Raises:
        ConfigError: A header has no value.
    """
    tables = [(f"[lockdown.hooks] {hook.name}", hook.header_env) for hook in config.lockdown.hooks]
    if config.studio.comfyui.workflow:
        tables.append(("[studio.comfyui]", config.studio.comfyui.header_env))
    faults = [
        NO_HEADER.format(file=file, where=where, header=header, variable=variable)
        for where, table in tables
        for header, variable in table.items()
        if not environ.get(variable)
    ]
    if faults:
        raise ConfigError("\n".join(faults))


def _merge(data: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(data)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value  # pyright: ignore[reportUnknownArgumentType] - nested tables of TOML
    return merged


def _source(fault: ErrorDetails, file: Path) -> str:
    """Where a value came from: a variable of the environment goes over the file."""
    where = [str(part).upper() for part in fault["loc"]]
    variables = {name.upper(): name for name in os.environ}
    for depth in range(len(where), 0, -1):
        if name := variables.get(PREFIX + "__".join(where[:depth])):
            return f"{name} in the environment"
    return file.name


def _unparsable() -> list[str]:
    """The variables that hold a list or a table by their keys, but not by their values."""
    found: list[str] = []
    for name, value in os.environ.items():
        where = name.upper().removeprefix(PREFIX).lower().split("__")
        if not name.upper().startswith(PREFIX) or where[0] not in Config.model_fields:
            continue
        model = _model(where[:-1])
        key = getattr(model, "model_fields", {}).get(where[-1])
        if key is not None and not _is_plain(key.annotation) and not _is_json(value):
            found.append(name)
    return found or [f"A variable that begins with {PREFIX}"]


def _is_plain(annotation: Any) -> bool:
    """Whether the value of a key is one text or number, no list and no table."""
    return not hasattr(annotation, "model_fields") and getattr(annotation, "__origin__", None) not in (list, dict)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _describe(fault: ErrorDetails) -> str:
    """One fault as a person reads it: [section] key, what was given, what is allowed."""
    where = [str(part) for part in fault["loc"]]
    key = f"[{'.'.join(where[:-1])}] {where[-1]}" if len(where) > 1 else f"[{'.'.join(where)}]"
    if fault["type"] == "extra_forbidden":
        return f"{key} is not a known {'key' if len(where) > 1 else 'section'}; known are: {', '.join(_known(where[:-1]))}."
    if fault["type"] == "missing":
        return f"{key} is missing: {fault['msg']}."
    message = fault["msg"].removeprefix("Value error, ")
    given = fault["input"]
    secret = any(
        part in SECRET_TABLES or part.endswith("_env") for part in where
    )  # a key may be where its name belongs
    if isinstance(given, str) and where[-1].endswith("url") and "@" in given and "://" not in given:
        given = f"{HIDDEN}@{given.rpartition('@')[2]}"  # an address whose scheme was forgotten
    shown = f" = {redacted(repr(given))}" if isinstance(given, str | int | float | bool) and not secret else ""
    return f"{key}{shown}: {message[:1].lower()}{message[1:]}."


def _known(where: list[str]) -> list[str]:
    return sorted(name for name in getattr(_model(where), "model_fields", {}) if name != "base")


def _model(where: list[str]) -> Any:
    """The section that a path of keys leads to."""
    model: Any = Config
    for part in where:
        fields = getattr(model, "model_fields", None)
        if fields is None or part not in fields:
            continue  # the name of a route: its fields are those of the value type
        annotation = fields[part].annotation
        arguments = getattr(annotation, "__args__", ())
        model = arguments[-1] if arguments else annotation
    return model
