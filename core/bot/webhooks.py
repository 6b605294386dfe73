"""The one webhook of each channel through which other characters than the bot itself speak: made, found again, replaced."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import aiohttp
import discord

from core.bot.replies import NO_PINGS
from core.errors import ParleyError, StoreError
from core.names import plain
from core.store.webhooks import ChannelWebhook
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from core.clock import Clock
    from core.store.webhooks import WebhookRepository

_log = logging.getLogger(__name__)

NAME = "Parley"  # of the webhook itself; each message carries the name of who speaks
NO_RIGHT = "I need the permission “Manage Webhooks” in {channel} for that; an admin can give it to my role."
FULL = "{channel} has all the 15 webhooks that Discord allows, so I cannot make mine: delete one of them there."
NO_PLACE = "There can be no webhook here; that works in the text channels of a server, and their threads."
REFUSED = "Discord did not let me make a webhook in {channel}."
UNSTABLE = "My webhook in {channel} is deleted as soon as I make it."
CHANNEL_GONE = "That channel is gone, or closed to me."
TOO_LATE = "Discord took too long."
UNREACHED = "Discord could not be reached."

PATIENCE_S = 20.0  # a message that waits longer than this for Discord's limits comes too late for a conversation
NAME_LIMIT = 80
MASK = " 🎭"  # behind the name of a character that is called like a person
NAMES_KEPT, NAME_HOLDS_S = 1000, 600.0
ASKS_S, SAME_NAMES, MEMBERS_LOOKED_AT = 3.0, 20, 1000
_FULL_CODE, _UNKNOWN_WEBHOOK, _WRONG_TOKEN, _UNKNOWN_CHANNEL = 30007, 10015, 50027, 10003
_UNKNOWN = "?"  # the digest of a picture that somebody gave it, or we in an earlier life
_REFUSED_NAMES = ("everyone", "here")
_REFUSED_PARTS = re.compile("(?<=d)(?=iscord)|(?<=c)(?=lyde)|(?<=s)(?=ystem message)", re.IGNORECASE)

Parent = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.ForumChannel
PARENTS = (discord.TextChannel, discord.VoiceChannel, discord.StageChannel, discord.ForumChannel)


class WebhookError(ParleyError):
    """A webhook cannot be made or used; `gone` if the channel itself is."""

    def __init__(self, sentence: str, *, gone: bool = False) -> None:
        super().__init__(sentence)
        self.gone = gone


@dataclass(frozen=True, slots=True)
class Face:
    """Who speaks, as a channel sees them; with a `ready` that is not, the picture is left as it is."""

    name: str
    picture: bytes | None = None
    ready: bool = True


class Webhooks:
    """Speaks through webhooks. Each channel has one of ours at most; whoever knows its id can tell our messages."""

    def __init__(self, bot: discord.Client, repository: WebhookRepository, clock: Clock) -> None:
        """Nothing is known before `open`."""
        self._bot = bot
        self._clock = clock
        self._repository = repository
        self._kept: dict[int, ChannelWebhook] = {}
        self._ready: dict[int, discord.Webhook] = {}
        self._own: set[int] = set()
        self._locks: dict[int, asyncio.Lock] = {}
        self._names: dict[tuple[int, str], tuple[str, float]] = {}
        self._tasks = Tasks("webhooks")

    async def open(self) -> None:
        """Read which webhooks are ours.

        Raises:
            StoreError: They cannot be read.
        """
        self._kept = {each.channel_id: each for each in await self._repository.all()}
        self._own = {each.webhook_id for each in self._kept.values()}

    async def close(self) -> None:
        """Finish what was begun: a webhook that is half made is remembered, not left behind."""
        await self._tasks.settle()

    def channel(self, channel_id: int) -> object | None:
        """A channel or thread that the bot knows, by its id."""
        return self._bot.get_channel(channel_id)

    def is_own(self, message: discord.Message) -> bool:
        """Whether a message came through one of our webhooks: it is our own voice, and is answered by nobody here."""
        return message.webhook_id is not None and message.webhook_id in self._own

    def is_answered_by(self, message: discord.Message) -> bool:
        """Whether a message replies to one that came through our webhooks: it is said to us."""
        replied = message.reference.resolved if message.reference is not None else None
        return isinstance(replied, discord.Message) and self.is_own(replied)

    async def prepare(self, channel: object) -> None:
        """See to it that there is a webhook to speak through.

        Raises:
            WebhookError: There cannot be one; the sentence says why.
        """
        parent, _ = _places(channel)
        await self._webhook(parent, None)

    async def send(self, channel: object, face: Face, text: str) -> discord.WebhookMessage:
        """Post under another name and picture; nothing in it pings or shows a preview.

        Raises:
            WebhookError: It cannot be posted through a webhook; the sentence says why.
        """
        parent, thread = _places(channel)
        name = await self._name(parent.guild, face.name)
        for _ in range(2):
            webhook = await self._webhook(parent, face)
            try:
                async with asyncio.timeout(PATIENCE_S):
                    sent = await webhook.send(
                        text,
                        username=name,
                        thread=thread or discord.utils.MISSING,
                        allowed_mentions=NO_PINGS,
                        suppress_embeds=True,
                        wait=True,
                    )
                    if sent.channel.id == (thread or parent).id:
                        return sent
                    await sent.delete()  # somebody has moved the webhook: it speaks where nobody asked
            except TimeoutError as error:
                raise WebhookError(TOO_LATE) from error
            except (aiohttp.ClientError, OSError) as error:
                raise WebhookError(UNREACHED) from error
            except discord.HTTPException as error:
                if error.code not in (_UNKNOWN_WEBHOOK, _WRONG_TOKEN):
                    raise _told(error, parent) from error
                _log.info("the webhook of channel %d is gone: %s", parent.id, error)
            self._ready.pop(parent.id, None)
            self._kept.pop(parent.id, None)
        raise WebhookError(UNSTABLE.format(channel=parent.mention))

    async def edit(self, message: discord.WebhookMessage, text: str) -> None:
        """Change what was posted.

        Raises:
            discord.HTTPException: Discord does not take it.
        """
        await message.edit(content=text, allowed_mentions=NO_PINGS)

    async def _name(self, guild: discord.Guild, name: str) -> str:
        """The name to show. Who else is called so is asked of Discord, since a bot need not know its servers' members."""
        key, now_s = (guild.id, name), self._clock.monotonic()
        shown, until_s = self._names.get(key, ("", 0.0))
        if now_s < until_s:
            return shown
        wanted = allowed_name(name)
        try:
            async with asyncio.timeout(ASKS_S):
                found = await guild.query_members(query=wanted, limit=SAME_NAMES, cache=False)
        except (TimeoutError, discord.ClientException, ConnectionError, RuntimeError) as error:
            _log.info("who is called as another character could not be asked: %s", error)
            found = guild.members[:MEMBERS_LOOKED_AT]
        called = {each.casefold() for member in found for each in (member.name, member.display_name)}
        shown = wanted + MASK if wanted.casefold() in called else wanted
        if len(self._names) >= NAMES_KEPT:
            self._names.clear()
        self._names[key] = shown, now_s + NAME_HOLDS_S
        return shown

    def listeners(self) -> dict[str, Callable[..., Coroutine[Any, Any, None]]]:
        """What to listen for, by discord.py's names of the events."""
        return {
            "on_webhooks_update": self.changed,
            "on_guild_channel_delete": self.channel_gone,
            "on_guild_remove": self.server_left,
        }

    async def changed(self, channel: discord.abc.GuildChannel) -> None:
        """Look at a channel's webhook again before it is used: it may have been deleted, or moved elsewhere."""
        self._ready.pop(channel.id, None)

    async def channel_gone(self, channel: discord.abc.GuildChannel) -> None:
        """Forget the webhook of a channel that was deleted."""
        self._locks.pop(channel.id, None)
        self._ready.pop(channel.id, None)
        if self._kept.pop(channel.id, None) is not None:
            await self._written(self._repository.forget(channel_id=channel.id))

    async def server_left(self, guild: discord.Guild) -> None:
        """Forget the webhooks of a server that the bot has left."""
        mine = [each.channel_id for each in self._kept.values() if each.guild_id == guild.id]
        for channel_id in mine:
            self._kept.pop(channel_id, None)
            self._ready.pop(channel_id, None)
            self._locks.pop(channel_id, None)
        if mine:
            await self._written(self._repository.forget(guild_id=guild.id))

    # One webhook ------------------------------------------------------------------------------------------------------

    async def _webhook(self, parent: Parent, face: Face | None) -> discord.Webhook:
        """The channel's webhook, with the picture of who speaks.

        It is made by one at a time, and never half: whoever asked may be cancelled meanwhile.
        """
        lock = self._locks.setdefault(parent.id, asyncio.Lock())

        async def ready() -> discord.Webhook | WebhookError:
            try:
                async with lock:
                    webhook = self._ready.get(parent.id) or await self._found(parent)
                    webhook = webhook or await self._made(parent, face)
                    self._ready[parent.id] = webhook
                    return webhook if face is None else await self._pictured(webhook, parent, face)
            except (aiohttp.ClientError, OSError) as error:
                unreached = WebhookError(UNREACHED)
                unreached.__cause__ = error
                return unreached
            except WebhookError as error:  # whoever waited may be gone: then nobody is told, and nothing is at fault
                return error

        try:
            async with asyncio.timeout(PATIENCE_S):
                done = await asyncio.shield(self._tasks.start(ready()))
        except TimeoutError as error:  # it goes on, and is there for whoever asks next
            raise WebhookError(TOO_LATE) from error
        if isinstance(done, WebhookError):
            raise done
        return done

    async def _found(self, parent: Parent) -> discord.Webhook | None:
        """The webhook that we made before, by its id; None if there is none of ours any more."""
        kept = self._kept.get(parent.id)
        if kept is not None:
            self._require_right(parent)
            try:
                webhook = await self._bot.fetch_webhook(kept.webhook_id)
            except discord.NotFound:
                webhook = None
            except discord.HTTPException as error:
                raise _told(error, parent) from error
            if webhook is not None and webhook.token and webhook.channel_id == parent.id:
                return webhook
        return None

    async def _made(self, parent: Parent, face: Face | None) -> discord.Webhook:
        """A new webhook, or one that an earlier life of ours made and forgot."""
        self._require_right(parent)
        picture = face.picture if face is not None else None
        try:
            ours = [one for one in await parent.webhooks() if one.user == self._bot.user and one.token]
            webhook = next((one for one in ours if one.name == NAME), None)
            shown = _UNKNOWN if webhook is not None and webhook.avatar is not None else None
            if webhook is None:
                webhook, shown = await self._create(parent, picture)
        except discord.HTTPException as error:
            raise _told(error, parent) from error
        self._own.add(webhook.id)
        await self._keep(ChannelWebhook(parent.id, parent.guild.id, webhook.id, shown))
        return webhook

    async def _create(self, parent: Parent, picture: bytes | None) -> tuple[discord.Webhook, str | None]:
        reason = "Another character speaks through it"
        if picture is not None:
            try:
                return await parent.create_webhook(name=NAME, avatar=picture, reason=reason), _digest(picture)
            except (discord.HTTPException, ValueError) as error:
                if isinstance(error, discord.HTTPException) and error.code == _FULL_CODE:
                    raise
                _log.warning("a webhook could not have the picture it was to have: %s", error)
        return await parent.create_webhook(name=NAME, reason=reason), None

    async def _pictured(self, webhook: discord.Webhook, parent: Parent, face: Face) -> discord.Webhook:
        """The same webhook, showing the picture of who speaks; a picture that Discord refuses is tried once."""
        kept = self._kept.get(parent.id)
        wanted = None if face.picture is None else _digest(face.picture)
        if kept is None or kept.picture == wanted or not face.ready:
            return webhook
        try:
            async with asyncio.timeout(PATIENCE_S):
                webhook = await webhook.edit(avatar=face.picture)
        except discord.NotFound:
            return webhook  # whoever speaks through it will notice, and make another
        except (discord.HTTPException, ValueError, TimeoutError) as error:
            _log.warning("a webhook could not be given a picture: %s", error)
        self._ready[parent.id] = webhook
        await self._keep(replace(kept, picture=wanted))
        return webhook

    def _require_right(self, parent: Parent) -> None:
        if not parent.permissions_for(parent.guild.me).manage_webhooks:
            raise WebhookError(NO_RIGHT.format(channel=parent.mention))

    async def _keep(self, webhook: ChannelWebhook) -> None:
        self._kept[webhook.channel_id] = webhook
        await self._written(self._repository.keep(webhook))

    async def _written(self, writing: Coroutine[Any, Any, None]) -> None:
        try:
            await writing
        except StoreError:  # it is known until the process ends, and found by its name afterwards
            _log.exception("which webhooks are ours could not be written down")


class WebhookPoster:
    """A `Poster`: what is posted comes from another character, through the channel's webhook."""

    def __init__(self, webhooks: Webhooks, channel: object, face: Face) -> None:
        self._webhooks = webhooks
        self._channel = channel
        self._face = face

    async def post(self, text: str) -> WebhookShown:
        """Send a message.

        Raises:
            WebhookError: It cannot be sent through a webhook.
        """
        return WebhookShown(self._webhooks, await self._webhooks.send(self._channel, self._face, text))


class WebhookShown:
    """A message of another character that is edited as it grows."""

    def __init__(self, webhooks: Webhooks, message: discord.WebhookMessage) -> None:
        self._webhooks = webhooks
        self._message = message

    @property
    def id(self) -> int:
        """Its id."""
        return self._message.id

    async def edit(self, text: str) -> None:
        """Replace the text."""
        await self._webhooks.edit(self._message, text)


def allowed_name(name: str) -> str:
    """A name that Discord lets a webhook have, with room for a mark behind it."""
    wanted = plain(name, NAME_LIMIT - 4) or NAME
    wanted = _REFUSED_PARTS.sub("·", wanted).replace("`", "'")[: NAME_LIMIT - 4]
    return wanted + MASK if wanted.casefold() in _REFUSED_NAMES else wanted


def _places(channel: object) -> tuple[Parent, discord.Thread | None]:
    """The channel that has the webhook, and the thread below it."""
    thread = channel if isinstance(channel, discord.Thread) else None
    parent = thread.parent if thread is not None else channel
    if not isinstance(parent, PARENTS):
        raise WebhookError(NO_PLACE)
    return parent, thread


def _told(error: discord.HTTPException, parent: Parent) -> WebhookError:
    """What to tell of a refusal; the log has the cause."""
    if error.code == _FULL_CODE:
        return WebhookError(FULL.format(channel=parent.mention))
    if error.code == _UNKNOWN_CHANNEL:
        return WebhookError(CHANNEL_GONE, gone=True)
    if isinstance(error, discord.Forbidden):
        return WebhookError(NO_RIGHT.format(channel=parent.mention))
    return WebhookError(REFUSED.format(channel=parent.mention))


def _digest(picture: bytes) -> str:
    return hashlib.blake2s(picture, digest_size=16).hexdigest()
