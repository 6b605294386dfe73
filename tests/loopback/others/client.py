"""A bot in another client library, in a process of its own, since these libraries share names with each other.

`python client.py LIBRARY` with a JSON line on standard input: `rest`, `gateway`, `token`, `guild_id`, `voice_channel_id`, and
`frames` of Opus in hexadecimal. It logs in, has a command /ping, joins the voice channel, plays the frames, and prints a JSON
line for each step. It ends when its standard input does. The library is what PYTHONPATH makes it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from typing import Any


def main() -> None:
    place = json.loads(sys.stdin.readline())
    name = {"py-cord": "discord"}.get(sys.argv[1], sys.argv[1])
    library = importlib.import_module(name)
    tell("library", version=library.__version__, file=library.__file__)
    point(name, place)
    asyncio.run(run(library, place))


def tell(step: str, **more: Any) -> None:
    sys.stdout.write(json.dumps({"step": step, **more}) + "\n")
    sys.stdout.flush()


def point(name: str, place: dict[str, Any]) -> None:
    """Turn the library to the Discord on localhost."""
    http = importlib.import_module(f"{name}.http")
    gateway = importlib.import_module(f"{name}.gateway")
    if hasattr(http.Route, "API_BASE_URL"):  # py-cord writes the version into it
        http.Route.API_BASE_URL = place["rest"]
    http.Route.BASE = place["rest"]
    if hasattr(gateway.DiscordWebSocket, "DEFAULT_GATEWAY"):
        import yarl

        gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(place["gateway"])


def make(library: Any, place: dict[str, Any]) -> Any:
    """A bot with /ping, in the words of its library."""
    guilds, intents = [int(place["guild_id"])], library.Intents.default()

    async def ping(asked: Any, word: str) -> None:
        answer = asked.respond if hasattr(asked, "respond") else asked.response.send_message
        await answer(f"pong {word}")

    kind = library.ApplicationContext if library.__name__ == "discord" else library.Interaction
    if library.__name__ == "disnake":
        kind = library.ApplicationCommandInteraction
    ping.__annotations__ = {"asked": kind, "word": str}  # these libraries look at them when the command is made
    if library.__name__ == "discord":
        bot = library.Bot(intents=intents)
        bot.slash_command(name="ping", description="Answers.", guild_ids=guilds)(ping)
    elif library.__name__ == "disnake":
        bot = importlib.import_module("disnake.ext.commands").InteractionBot(intents=intents)
        bot.slash_command(name="ping", description="Answers.", guild_ids=guilds)(ping)
    else:
        bot = importlib.import_module("nextcord.ext.commands").Bot(intents=intents)
        bot.slash_command(name="ping", description="Answers.", guild_ids=guilds)(ping)
    return bot


def voice_client(library: Any) -> Any:
    """The library's voice client; nextcord's throws the port of the voice server away, which on localhost is not 443."""
    if library.__name__ != "nextcord":
        return library.VoiceClient

    class WithPort(library.VoiceClient):
        async def on_voice_server_update(self, data: dict[str, Any]) -> None:
            await super().on_voice_server_update(data)
            self.endpoint = data["endpoint"].removeprefix("wss://")

    return WithPort


def sound(library: Any, frames: list[bytes]) -> Any:
    """The frames as the library wants to play them."""

    class Frames(library.AudioSource):
        def read(self) -> bytes:
            return frames.pop(0) if frames else b""

        def is_opus(self) -> bool:
            return True

    return Frames()


async def run(library: Any, place: dict[str, Any]) -> None:
    bot = make(library, place)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.run_in_executor(None, lambda: (sys.stdin.read(), loop.call_soon_threadsafe(ended.set)))
    running = asyncio.create_task(bot.start(place["token"]))
    await asyncio.wait({running, asyncio.create_task(bot.wait_until_ready())}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    tell("ready", user=str(bot.user.id), guilds=[str(guild.id) for guild in bot.guilds])
    channel = bot.get_channel(int(place["voice_channel_id"]))
    try:
        voice = await channel.connect(timeout=20, reconnect=False, cls=voice_client(library))
    except Exception as error:  # noqa: BLE001 - what a library cannot do is for the test to judge
        tell("voice", error=repr(error))
    else:
        tell("voice", connected=voice.is_connected())
        voice.play(sound(library, [bytes.fromhex(frame) for frame in place["frames"]]))
        while voice.is_playing():  # noqa: ASYNC110 - the libraries tell it in different ways
            await asyncio.sleep(0.05)
        tell("spoken", connected=voice.is_connected())
    await ended.wait()
    os._exit(0)  # not all of them come to an end in every state, and nothing is lost


if __name__ == "__main__":
    main()
