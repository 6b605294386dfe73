"""Posts what is new on a watched page or feed: a link, a picture, and nobody pinged."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import discord
import yarl

from core.bot.replies import NO_PINGS
from core.fetch.addresses import is_public
from core.names import shown, shown_text
from core.persona.occasions import Occasion
from core.persona.watching.outbox import NotPosted, NowhereToPost

if TYPE_CHECKING:
    from core.bot.runtime import Runtime
    from core.store.watches import Watch, WatchPost

FEATURE = "notifier"
TITLE, TEXT = 200, 700
LOCAL = ("localhost", ".localhost", ".local", ".internal", ".lan", ".home.arpa", ".invalid", ".test", ".onion")

GONE = "Its channel is gone, or I am not on the server any more."
CLOSED = "I may not write in its channel."
AWAY = "Discord cannot be reached."

Place = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread


class WatchPoster:
    """Posts news. Whether it may, and where, is asked each time."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def post(self, watch: Watch, post: WatchPost) -> None:
        """Post one piece of news.

        Raises:
            NowhereToPost: The channel is gone, or closed to the bot.
            NotPosted: Not just now.
        """
        refused = self._runtime.occasions.refusal(Occasion(FEATURE, watch.guild_id, watch.channel_id))
        if refused is not None:
            raise NotPosted(refused.sentence, waits=True)
        channel = self._channel(watch)
        try:
            embed = _embed(post) if channel.permissions_for(channel.guild.me).embed_links else None
            await channel.send(words(post), embeds=[embed] if embed is not None else [], allowed_mentions=NO_PINGS)
        except discord.NotFound as error:
            raise NowhereToPost(GONE) from error
        except discord.Forbidden as error:
            raise NowhereToPost(CLOSED) from error
        except (discord.HTTPException, OSError) as error:
            raise NotPosted(AWAY) from error

    def _channel(self, watch: Watch) -> Place:
        bot = self._runtime.bot
        guild = bot.get_guild(watch.guild_id)
        if guild is not None and guild.unavailable:
            raise NotPosted(AWAY, waits=True)
        if guild is None:
            if not bot.is_ready():
                raise NotPosted(AWAY, waits=True)
            raise NowhereToPost(GONE)
        channel = guild.get_channel_or_thread(watch.channel_id)
        if not isinstance(channel, Place):
            raise NowhereToPost(GONE)
        may = channel.permissions_for(guild.me)
        if not may.view_channel or not (
            may.send_messages_in_threads if isinstance(channel, discord.Thread) else may.send_messages
        ):
            raise NowhereToPost(CLOSED)
        return channel


def words(post: WatchPost) -> str:
    """The message: title, text and link, each of a stranger, without ping, markup or a link behind other words."""
    lines = [f"📰 **{shown(post.title, TITLE)}**"] if post.title else []
    if post.text:
        lines.append(shown_text(post.text, TEXT))
    lines.append(f"<{post.url}>")
    return "\n".join(lines)


def _embed(post: WatchPost) -> discord.Embed | None:
    """The picture, which Discord fetches: only one of the public web."""
    return discord.Embed().set_image(url=post.picture) if is_public_picture(post.picture) else None


def is_public_picture(url: str) -> bool:
    """Whether a picture's address is https and, as far as it shows, of the public web."""
    try:
        place = yarl.URL(url)
        host = (place.raw_host or "").lower().rstrip(".")
    except ValueError:
        return False
    if place.scheme != "https" or not host or place.user is not None or place.password is not None:
        return False
    try:
        return is_public(ipaddress.ip_address(host))
    except ValueError:
        return "." in host and not host.endswith(LOCAL) and not host.replace(".", "").isdigit()
