"""A quiet member of the channel in a process of its own: notes when each frame of one user was heard.

Prints `{"entered": user id}`, listens until its input ends, then prints the arrivals (seconds) and by how much this
nearly idle process itself woke too late in 1 of 100 times: what the machine does to everybody.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
import time
from typing import TYPE_CHECKING

from loopback.voice.load import SyntheticSpeaker
from loopback.voice.rtp import SILENCE

if TYPE_CHECKING:
    from loopback.voice.client import ReceivedFrame

NAP_S = 0.01


async def _listen(options: argparse.Namespace) -> None:
    token = (await asyncio.to_thread(sys.stdin.readline)).strip()
    tls = ssl.create_default_context(cafile=options.ca)
    listener = SyntheticSpeaker(options.gateway, tls, token)
    await listener.enter(options.guild, options.channel)
    arrivals: list[float] = []
    unheard = 0

    def hear(heard: ReceivedFrame) -> None:
        nonlocal unheard
        if heard.user_id == options.user:
            if heard.opus is None:
                unheard += 1
            elif heard.opus != SILENCE:
                arrivals.append(time.monotonic())

    listener.voice.on_audio = hear
    print(json.dumps({"entered": listener.user_id}), flush=True)
    over = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    lateness: list[float] = []
    while not over.done():
        due_s = time.monotonic() + NAP_S
        await asyncio.sleep(NAP_S)
        lateness.append(time.monotonic() - due_s)
    await listener.leave()
    print(json.dumps({"arrivals": arrivals, "unheard": unheard, "lateness_ms": [late * 1000 for late in lateness]}))


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--ca", required=True)
    for name in ("guild", "channel", "user"):
        parser.add_argument(f"--{name}", type=int, required=True)
    asyncio.run(_listen(parser.parse_args()))


if __name__ == "__main__":
    main()
