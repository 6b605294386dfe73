"""`launcher.py run`: the bot, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from core.config import Environment, load
from core.errors import ConfigError, ParleyError

if TYPE_CHECKING:
    import argparse

    import aiohttp

    from launch.bot import ParleyBot

_log = logging.getLogger("parley")

USAGE = 2  # exit code for what the person has to mend first
FAILED = 1
STOP_S = 4.5  # a stop takes no longer; what hangs is left behind

TOKEN_VARIABLE = "DISCORD_TOKEN"  # noqa: S105 - the name of a variable, not a token
NO_TOKEN = (
    f"{TOKEN_VARIABLE} is not set. Put the bot's token into a file named .env beside launcher.py "
    f"({TOKEN_VARIABLE}=...), or into the environment. `python launcher.py doctor` explains where to get one."
)
BAD_TOKEN = (
    f"Discord refuses the token in {TOKEN_VARIABLE}. Copy it again from the developer portal (Bot > Reset Token)."
)
NO_INTENTS = (
    "The bot may not read messages yet. In the developer portal, under Bot > Privileged Gateway Intents, "
    "switch on “Message Content Intent”, then start again."
)
UNREACHABLE = "Discord cannot be reached: {reason}. Check the network (and --discord, if you gave it)."


def run(arguments: argparse.Namespace) -> int:
    """Run the bot; gives the exit code."""
    try:
        config = load(Path(arguments.config) if arguments.config else None)
        environ = Environment.read()
        token = environ.get(TOKEN_VARIABLE, "").strip()
        if not token:
            raise ConfigError(NO_TOKEN)
    except ConfigError as error:
        print(error.sentence, file=sys.stderr)
        return USAGE
    logging.getLogger().setLevel(config.log.level)
    from launch.bot import ParleyBot

    async def serve() -> int:
        connector = await point_at(arguments.discord, arguments.ca) if arguments.discord else None
        cogs = [f"cogs.{name}" for name in arguments.cogs.split(",")] if arguments.cogs else None
        return await _serve(ParleyBot(config, environ, cogs=cogs, connector=connector), token)

    return asyncio.run(serve())


async def point_at(rest: str, ca: str | None) -> aiohttp.TCPConnector:
    """Send discord.py of this process to another Discord.

    Args:
        rest: Its REST address, up to and including /api/v10; the gateway's address is asked from it.
        ca: A file with the certificate authority of its voice servers, trusted beside the usual ones.
    """
    import aiohttp
    import discord
    import yarl

    context = ssl.create_default_context()
    if ca:
        context.load_verify_locations(ca)
    discord.http.Route.BASE = rest.rstrip("/")
    async with aiohttp.ClientSession() as session, session.get(f"{rest.rstrip('/')}/gateway") as response:
        found = await response.json()
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(found["url"])
    return aiohttp.TCPConnector(limit=0, ssl=context)


async def _serve(bot: ParleyBot, token: str) -> int:
    """Run until a signal or a failure; sessions are ended and files closed within five seconds."""
    import aiohttp
    import discord

    stop = asyncio.Event()
    _on_signals(stop)
    running = asyncio.create_task(bot.start(token), name="bot")
    stopping = asyncio.create_task(stop.wait(), name="signals")
    await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        _log.info("stopping")
    try:
        async with asyncio.timeout(STOP_S):
            await bot.close()
    except TimeoutError:
        _log.error("not everything could be closed in %.1f s", STOP_S)
    stopping.cancel()
    if not running.done():
        running.cancel()
        await asyncio.wait([running], timeout=0.5)
    try:
        if running.done() and not running.cancelled():
            running.result()
    except discord.LoginFailure:
        return _refuse(BAD_TOKEN, USAGE)
    except discord.PrivilegedIntentsRequired:
        return _refuse(NO_INTENTS, USAGE)
    except ParleyError as error:
        _log.debug("refused", exc_info=error)
        return _refuse(error.sentence, USAGE)
    except discord.ext.commands.ExtensionError as error:
        cause = error.__cause__
        _log.exception("a cog could not be loaded")
        return _refuse(cause.sentence if isinstance(cause, ParleyError) else str(error), FAILED)
    except (aiohttp.ClientError, OSError) as error:
        return _refuse(UNREACHABLE.format(reason=error), FAILED)
    return 0


def _refuse(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr)
    return code


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if sys.platform == "win32":  # its loops have no signal handlers
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        else:
            loop.add_signal_handler(number, stop.set)
