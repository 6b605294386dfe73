"""`launcher.py doctor`: look at everything the bot needs, and say how to mend what is missing."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
from dataclasses import dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config import Environment, load, require_secrets
from core.errors import ConfigError, ParleyError
from launch.run import SET_TOKEN, TOKEN_VARIABLE, USAGE, point_at

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator

    from core.config import Config

_log = logging.getLogger(__name__)

LEAST_FREE_GB = 1.0
PINNED = {"discord.py": "2.7.", "davey": "0.1.", "discord-ext-voice-recv": "0.5.2a179"}
INVITE = "https://discord.com/oauth2/authorize?client_id={id}&scope=bot+applications.commands&permissions={permissions}"
WHERE_FROM = "You get one at https://discord.com/developers/applications: New Application, Bot, Reset Token."
LOOK_S = 30.0  # nothing is waited for longer than this
MARKS = {"good": "✓", "odd": "!", "bad": "✗"}


class Verdict(Enum):
    """How a look turned out."""

    GOOD = "good"
    ODD = "odd"  # works, but somebody will ask
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `mend` says what to do about it."""

    verdict: Verdict
    what: str
    mend: str = ""


def doctor(arguments: argparse.Namespace) -> int:
    """Print a line for each thing looked at; returns 0 if the bot can run, 1 if not, 2 if the settings are wrong."""
    logging.getLogger().setLevel(logging.CRITICAL)
    try:
        config = load(Path(arguments.config) if arguments.config else None)
        environ = Environment.read()
        require_secrets(config, environ, Path(arguments.config or "config.toml").name)
    except ConfigError as error:
        _print(Finding(Verdict.BAD, "settings", error.sentence))
        return USAGE
    return asyncio.run(_examine(config, environ, arguments))


async def _examine(config: Config, environ: Environment, arguments: argparse.Namespace) -> int:
    _print(Finding(Verdict.GOOD, "settings can be used"))
    looks = {
        "packages": _packages(),
        "Opus": _opus(),
        "database": _store(config),
        "disk": _disk(config),
        "speech": _speech(config, environ),
        "hearing": _hearing(config, environ),
        "model": _models(config, environ),
        "Discord": _discord(environ, arguments),
    }
    bad = 0
    for what, look in looks.items():
        try:
            async with asyncio.timeout(LOOK_S):
                async for finding in look:
                    _print(finding)
                    bad += finding.verdict is Verdict.BAD
        except TimeoutError:
            _print(Finding(Verdict.BAD, what, f"No answer within {LOOK_S:.0f} s; look at its server and the network."))
            bad += 1
    print("\nEverything the bot needs is there." if not bad else f"\n{bad} thing(s) to mend, see above.")
    return 1 if bad else 0


def _print(finding: Finding) -> None:
    print(f" {MARKS[finding.verdict.value]} {finding.what}", flush=True)
    if finding.mend:
        for line in finding.mend.splitlines():
            print(f"     {line}")


async def _packages() -> AsyncIterator[Finding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if (3, 11) <= sys.version_info < (3, 14):
        yield Finding(Verdict.GOOD, f"Python {version}")
    else:
        yield Finding(Verdict.BAD, f"Python {version}", "Parley runs on Python 3.11 to 3.13.")
    for name, wanted in PINNED.items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding(Verdict.BAD, f"{name} is not installed", "pip install -r requirements.txt")
            continue
        if found.startswith(wanted):
            yield Finding(Verdict.GOOD, f"{name} {found}")
        else:
            yield Finding(Verdict.ODD, f"{name} {found}", f"Tested with {wanted}*: pip install -r requirements.txt")


async def _opus() -> AsyncIterator[Finding]:
    from core.audio.opus import Encoder, find_libopus

    try:
        library = await asyncio.to_thread(find_libopus)
        Encoder()
    except (ParleyError, OSError) as error:
        _log.debug("opus", exc_info=error)
        yield Finding(Verdict.BAD, "no Opus library", "It comes with PyAV: pip install --force-reinstall av")
    else:
        yield Finding(Verdict.GOOD, f"Opus: {library.name}")


async def _store(config: Config) -> AsyncIterator[Finding]:
    from core.store.store import Store

    store = Store(config.store.url, base=config.base)
    try:
        await store.open()
    except ParleyError as error:
        yield Finding(Verdict.BAD, "database", error.sentence)
    else:
        yield Finding(Verdict.GOOD, f"database {store.url.set(query={}).render_as_string(hide_password=True)}")
    finally:
        await store.close()


async def _disk(config: Config) -> AsyncIterator[Finding]:
    recordings = config.path(config.recording.folder)
    folders = [config.path("data"), recordings]
    if recordings.is_relative_to(folders[0]):
        folders.pop(0)
    for folder in folders:
        yield await _folder(folder)


async def _folder(folder: Path) -> Finding:
    try:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        free_gb = (await asyncio.to_thread(shutil.disk_usage, folder)).free / 1e9
    except OSError as error:
        return Finding(Verdict.BAD, f"folder {folder}", f"It cannot be made or read: {error.strerror}.")
    if not os.access(folder, os.W_OK):
        return Finding(Verdict.BAD, f"folder {folder}", "The bot may not write there; give its user that right.")
    if free_gb < LEAST_FREE_GB:
        return Finding(
            Verdict.ODD, f"{free_gb:.1f} GB free", "An hour of one person takes 15 MB live, 700 MB rendered."
        )
    return Finding(Verdict.GOOD, f"disk: {free_gb:.0f} GB free for {folder.name}")


async def _speech(config: Config, environ: Environment) -> AsyncIterator[Finding]:
    from core.speech.factory import create_engine
    from core.speech.speaker import Speaker

    speaker = Speaker(create_engine(config.speech, environ, config.base), config.speech)
    try:
        await speaker.open()
    except ParleyError as error:
        mend = f"{error.sentence}\nStart it, or choose another in [speech] engine; “espeak” needs nothing."
        yield Finding(Verdict.BAD, "speech", mend)
    else:
        yield Finding(Verdict.GOOD, f"speech: {speaker.engine.name} ({speaker.engine.address})")
    finally:
        await speaker.close()


async def _hearing(config: Config, environ: Environment) -> AsyncIterator[Finding]:
    from launch.models import look_at_hearing

    good, what, mend = await look_at_hearing(config, environ)
    yield Finding(Verdict.GOOD if good else Verdict.BAD, what, mend)


async def _models(config: Config, environ: Environment) -> AsyncIterator[Finding]:
    from core.llm.models import Models

    if not config.model.routes:
        yield Finding(Verdict.GOOD, "no model configured: the bot reads the prompt channel aloud")
        return
    models = Models(config.model.routes, environ=environ)
    try:
        for name in config.model.routes:
            health = await models.check(name)
            if health.ok:
                yield Finding(Verdict.GOOD, f"model route “{name}” answers in {(health.latency_s or 0) * 1000:.0f} ms")
            else:
                yield Finding(Verdict.BAD, f"model route “{name}”", health.problem)
    finally:
        await models.close()


async def _discord(environ: Environment, arguments: argparse.Namespace) -> AsyncIterator[Finding]:
    import aiohttp
    import discord

    token = environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        yield Finding(Verdict.BAD, "no token", f"{SET_TOKEN}\n{WHERE_FROM}")
        return
    try:
        connector = await point_at(arguments.discord, arguments.ca) if arguments.discord else None
        options: dict[str, Any] = {} if connector is None else {"connector": connector}
        async with discord.Client(intents=discord.Intents.none(), **options) as client:
            await client.login(token)
            async for finding in _account(client):
                yield finding
    except discord.LoginFailure:
        yield Finding(
            Verdict.BAD, "Discord refuses the token", f"Copy it again into {TOKEN_VARIABLE} (Bot > Reset Token)."
        )
    except ParleyError as error:
        yield Finding(Verdict.BAD, "Discord", error.sentence)
    except (aiohttp.ClientError, discord.DiscordException, OSError) as error:
        yield Finding(Verdict.BAD, "Discord cannot be reached", f"{error or type(error).__name__}. Check the network.")


async def _account(client: Any) -> AsyncIterator[Finding]:
    import discord

    yield Finding(Verdict.GOOD, f"logged in as {client.user}")
    information = await client.application_info()
    flags = information.flags
    if flags.gateway_message_content or flags.gateway_message_content_limited:
        yield Finding(Verdict.GOOD, "may read messages")
    else:
        mend = "In the developer portal, under Bot > Privileged Gateway Intents, switch on “Message Content Intent”."
        yield Finding(Verdict.BAD, "may not read messages", mend)
    needed = discord.Permissions(
        view_channel=True, send_messages=True, read_message_history=True, add_reactions=True, connect=True, speak=True,
        attach_files=True, embed_links=True,
    )  # fmt: skip
    invite = INVITE.format(id=client.application_id, permissions=needed.value)
    guilds: list[dict[str, Any]] = await client.http.get_guilds(200, with_counts=False)
    if not guilds:
        yield Finding(Verdict.ODD, "in no server yet", f"Invite the bot: {invite}")
    for guild in guilds:
        granted = discord.Permissions(int(guild.get("permissions", 0)))
        missing = [name for name, value in needed if value and not getattr(granted, name) and not granted.administrator]
        if missing:
            names = ", ".join(name.replace("_", " ").title() for name in missing)
            yield Finding(
                Verdict.BAD, f"server “{guild['name']}”: missing {names}", f"Give them to its role, or: {invite}"
            )
        else:
            yield Finding(Verdict.GOOD, f"server “{guild['name']}”: has every permission it needs")
