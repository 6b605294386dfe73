"""Read `config.toml` and `.env`, and refuse what is wrong with file, key, what was given and what is allowed."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from core.config.lockdown import LockdownSection
from core.config.model import ModelSection
from core.config.prompt import PromptSection
from core.config.recording import RecordingSection
from core.config.speech import SpeechSection
from core.config.studio import StudioSection
from core.config.system import LogSection, StoreSection, WorkersSection
from core.config.voice import VoiceSection
from core.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

CHECKOUT = Path(__file__).resolve().parents[2]  # every relative path of the configuration starts here
PREFIX = "PARLEY_"  # PARLEY_VOICE__MAX_SESSIONS=2 overrides [voice] max_sessions


class Environment(Mapping[str, str]):
    """The process's environment over the `.env` file. Its values never show in `repr`, logs or errors."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    @classmethod
    def read(cls, dotenv: Path | None = None) -> Environment:
        """The variables of `.env` (of the checkout, unless named) with those of the process over them."""
        from dotenv import dotenv_values

        found = dotenv_values(dotenv or CHECKOUT / ".env", encoding="utf-8")
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
        extra="forbid", frozen=True, env_prefix=PREFIX, env_nested_delimiter="__", validate_default=True
    )

    voice: VoiceSection = VoiceSection()
    speech: SpeechSection = SpeechSection()
    model: ModelSection = ModelSection()
    prompt: PromptSection = PromptSection()
    recording: RecordingSection = RecordingSection()
    lockdown: LockdownSection = LockdownSection()
    studio: StudioSection = StudioSection()
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
            data = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{file.name} cannot be read: {error.strerror}.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file.name} is not valid TOML: {error}.") from error
    if "base" in data:
        raise ConfigError(f"{file.name}: 'base' is not a known section.")
    try:
        return Config(**_merge(data, overrides or {}))
    except ValidationError as error:
        faults = [_describe(fault) for fault in error.errors()]
        raise ConfigError("\n".join(f"{file.name}: {fault}" for fault in faults)) from error


def _merge(data: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(data)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value  # pyright: ignore[reportUnknownArgumentType] - nested tables of TOML
    return merged


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
    shown = f" = {given!r}" if isinstance(given, str | int | float | bool) else ""
    return f"{key}{shown}: {message[:1].lower()}{message[1:]}."


def _known(where: list[str]) -> list[str]:
    model: Any = Config
    for part in where:
        fields = getattr(model, "model_fields", None)
        if fields is None or part not in fields:
            continue  # the name of a route: its fields are those of the value type
        annotation = fields[part].annotation
        arguments = getattr(annotation, "__args__", ())
        model = arguments[-1] if arguments else annotation
    return sorted(name for name in getattr(model, "model_fields", {}) if name != "base")
