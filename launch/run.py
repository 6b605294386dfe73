"""`launcher.py run`: the bot, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import ssl
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from core.config import Environment, load, require_secrets
from core.errors import ConfigError, ParleyError
from launch.lag import watch

if TYPE_CHECKING:
    import argparse

    import aiohttp

    from core.config import Config
    from launch.bot import ParleyBot

_log = logging.getLogger("parley")

USAGE = 2  # exit code for what the person has to mend first
FAILED = 1
STOP_S = 4.0  # for an orderly stop
EXIT_S = 4.8  # after that the process goes, whatever still hangs

TOKEN_VARIABLE = "DISCORD_TOKEN"  # noqa: S105 - the name of a variable, not a token
SET_TOKEN = (
    f"{TOKEN_VARIABLE} is not set. Put the bot's token into a file named .env beside launcher.py "
    f"({TOKEN_VARIABLE}=...), or into the environment."
)
NO_TOKEN = f"{SET_TOKEN} `python launcher.py doctor` says where to get one."
BAD_TOKEN = (
    f"Discord refuses the token in {TOKEN_VARIABLE}. Copy it again from the developer portal (Bot > Reset Token)."
)
NO_INTENTS = (
    "The bot may not read messages yet. In the developer portal, under Bot > Privileged Gateway Intents, "
    "switch on “Message Content Intent”, then start again."
)
UNREACHABLE = "Discord cannot be reached: {reason}. Check the network{option}."
NO_SUCH_COG = "There is no cog “{name}”. There are: {known}."
BAD_CA = "--ca {file}: {reason}."


def run(arguments: argparse.Namespace) -> int:
    """Run the bot; returns the exit code."""
    try:
        config = load(Path(arguments.config) if arguments.config else None)
        environ = Environment.read()
        token = environ.get(TOKEN_VARIABLE, "").strip()
        if not token:
            raise ConfigError(NO_TOKEN)
        if len(token.split()) > 1:
            raise ConfigError(BAD_TOKEN)
        require_secrets(config, environ, Path(arguments.config or "config.toml").name)
    except ConfigError as error:
        print(error.sentence, file=sys.stderr)
        return USAGE
    if not arguments.verbose:
        logging.getLogger().setLevel(config.log.level)
    os.umask(0o077)  # a process of our own: nothing that it writes is for others on this machine
    return asyncio.run(_run(arguments, config, environ, token))


async def _run(arguments: argparse.Namespace, config: Config, environ: Environment, token: str) -> int:
    import aiohttp
    import discord
    from discord.ext import commands

    from launch.bot import ParleyBot

    try:
        cogs = _chosen(arguments.cogs)
        connector = await point_at(arguments.discord, arguments.ca) if arguments.discord else None
        return await _serve(ParleyBot(config, environ, cogs=cogs, connector=connector), token)
    except discord.LoginFailure:
        return _refuse(BAD_TOKEN, USAGE)
    except discord.PrivilegedIntentsRequired:
        return _refuse(NO_INTENTS, USAGE)
    except ParleyError as error:
        _log.debug("refused", exc_info=error)
        return _refuse(error.sentence, USAGE)
    except commands.ExtensionError as error:
        cause = error.__cause__
        if isinstance(cause, ParleyError):
            return _refuse(cause.sentence, USAGE)
        _log.exception("a cog could not be loaded")
        return _refuse(str(error), FAILED)
    except (aiohttp.ClientError, discord.DiscordException, OSError) as error:
        option = " and --discord" if arguments.discord else ""
        return _refuse(UNREACHABLE.format(reason=str(error) or type(error).__name__, option=option), FAILED)


def _chosen(names: str | None) -> list[str] | None:
    """The extensions that --cogs names; None for all."""
    from launch.bot import available_cogs

    if not names:
        return None
    chosen = [f"cogs.{name.strip().removeprefix('cogs.')}" for name in names.split(",")]
    known = available_cogs()
    for name in chosen:
        if name not in known:
            there = ", ".join(name.removeprefix("cogs.") for name in known)
            raise ConfigError(NO_SUCH_COG.format(name=name.removeprefix("cogs."), known=there))
    return chosen


async def point_at(rest: str, ca: str | None) -> aiohttp.TCPConnector:
    """Send discord.py of this process to another Discord.

    Args:
        rest: Its REST address, up to and including /api/v10; the gateway's address is asked from it.
        ca: A file with the certificate authority of its voice servers, trusted beside the usual ones.

    Raises:
        ConfigError: There is no certificate in `ca`.
        aiohttp.ClientError: It does not answer, or not as a Discord does.
    """
    import aiohttp
    import yarl
    from discord.gateway import DiscordWebSocket
    from discord.http import Route

    context = ssl.create_default_context()
    if ca:
        try:
            context.load_verify_locations(ca)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(BAD_CA.format(file=ca, reason=error.strerror or error)) from error
    Route.BASE = rest.rstrip("/")
    async with aiohttp.ClientSession() as session, session.get(f"{rest.rstrip('/')}/gateway") as response:
        response.raise_for_status()
        try:
            gateway = yarl.URL((await response.json())["url"])
        except (ValueError, LookupError, TypeError) as error:
            raise aiohttp.ClientPayloadError(f"{rest} does not answer as a Discord does") from error
    DiscordWebSocket.DEFAULT_GATEWAY = gateway
    return aiohttp.TCPConnector(limit=0, ssl=context)


async def _serve(bot: ParleyBot, token: str) -> int:
    """Run until a signal or a failure, which is raised; sessions are ended and files closed within five seconds."""
    stop = asyncio.Event()
    _on_signals(stop)
    lag = watch()
    running = asyncio.create_task(bot.start(token), name="bot")
    stopping = asyncio.create_task(stop.wait(), name="signals")
    await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        _log.info("stopping: sessions end, files are closed")
        _leave_in(EXIT_S)
    try:
        async with asyncio.timeout(STOP_S):
            await bot.close()
    except TimeoutError:
        _log.error("not everything could be closed in %.1f s", STOP_S)
    stopping.cancel()
    if lag is not None:
        lag.cancel()
    if not running.done():
        running.cancel()
        await asyncio.wait([running], timeout=0.5)
    if running.done() and not running.cancelled() and not stop.is_set():
        running.result()
    return 0


def _leave_in(seconds: float) -> None:
    """End the process after this long even if a thread or a worker process would keep it."""

    def leave() -> None:
        _log.error("something still hangs after %.1f s and is left behind", seconds)
        for child in multiprocessing.active_children():
            child.terminate()
        logging.shutdown()
        os._exit(FAILED)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


def _refuse(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr)
    return code


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":  # its loops have no signal handlers
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGBREAK):
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    else:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
