"""`python -m loopback`: a Discord on localhost by itself, until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from loopback.server import Loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SPARE_USERS = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; prints one JSON line that says where and for whom. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="loopback", description="A Discord on localhost.")
    parser.add_argument("--port", type=int, default=0, help="port of REST, gateway and files (default: a free one)")
    parser.add_argument("--folder", type=Path, help="where the private CA is written (default: a temporary folder)")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    try:
        asyncio.run(_serve(options.port, options.folder))
    except (OSError, OverflowError) as error:  # the latter for a port that is none
        sys.stderr.write(f"loopback cannot listen: {error}\n")
        return 1
    return 0


async def _serve(port: int, folder: Path | None) -> None:
    stop = asyncio.Event()
    with _interrupts(asyncio.get_running_loop(), stop):
        async with Loopback(port=port, folder=folder) as loopback:
            sys.stdout.write(json.dumps(_furnish(loopback)) + "\n")
            sys.stdout.flush()
            await stop.wait()


def _furnish(loopback: Loopback) -> dict[str, object]:
    """The usual guild with some spare users in it, and everything a client must know to join.

    Ids are strings, as Discord writes them: JavaScript's numbers cannot hold them.
    """
    standard = loopback.standard()
    spares = [loopback.world.add_user(f"guest{number}") for number in range(1, SPARE_USERS + 1)]
    for user in spares:
        loopback.world.add_member(standard.guild, user)
    return {
        "rest": loopback.rest,
        "gateway": loopback.gateway,
        "ca": str(loopback.certificates.ca_file),
        "guild_id": str(standard.guild.id),
        "text_channel_id": str(standard.text.id),
        "voice_channel_id": str(standard.voice.id),
        "bot_token": standard.bot.token,
        "spare_tokens": [user.token for user in spares],
    }


@contextlib.contextmanager
def _interrupts(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` at SIGINT and SIGTERM; plain handlers, because Windows' loops have none of their own."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set)) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
