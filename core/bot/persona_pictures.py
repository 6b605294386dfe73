"""Pictures of characters on the bot's profile of each server: changed within Discord's limits, never in a session, never lost."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import discord

from core.errors import ParleyError, WorkersBusy
from core.events import CharacterChosen, FeatureReleased, MoodChanged
from core.machine.lane import Owner
from core.persona import pace
from core.persona.files import stamp_of
from core.persona.portraits import PictureLimits, portrait
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from core.bot.persona_cast import Cast
    from core.bot.persona_shown import ShownBook
    from core.bot.persona_watch import MoodWatch
    from core.clock import Clock
    from core.config.persona import AvatarsSection
    from core.hub import Hub
    from core.lockdown.service import Lockdown
    from core.machine.lane import Lane
    from core.persona.files import Stamp

_log = logging.getLogger(__name__)

AVATAR = "avatar"  # the feature that is locked during sessions
EDIT_S = 20.0  # discord.py sleeps through the minutes that Discord may ask for; nobody waits for that
LOOK_S = 1.0  # between two looks whether a lock is gone
BUSY_S = 30.0
MOST_OPENED = 8  # pictures that are kept opened
INVALID_FORM = 50035

LOCKED = "the picture stays as it is during the session, and changes afterwards"
WAITS = "the picture changes in {minutes} min: Discord allows two changes in ten minutes"
REFUSED = "the picture could not be changed: {reason}"


@dataclass(frozen=True, slots=True)
class WantedPicture:
    """The picture that a server is to see; its key tells it from others, an empty one is the bot's own."""

    key: str = ""
    path: Path | None = None


class ProfilePictures:
    """Brings each server's profile to the picture of its character and mood, the latest wish alone."""

    def __init__(
        self,
        section: AvatarsSection,
        bot: discord.Client,
        *,
        cast: Cast,
        watch: MoodWatch,
        book: ShownBook,
        lockdown: Lockdown,
        in_session: Callable[[], bool],
        lane: Lane,
        hub: Hub,
        clock: Clock,
    ) -> None:
        """Nothing is changed before `begin`.

        Args:
            section: `[persona.avatars]`.
            bot: Whose profile it is.
            cast: Who the bot is where.
            watch: How it feels there.
            book: What is shown already.
            lockdown: Says when nothing may be changed.
            in_session: Whether there is a voice session; asked too, since a cog that is loaded anew has no features for a moment.
            lane: Where strangers' pictures are opened.
            hub: Tells of choices, moods and locks.
            clock: Time.
        """
        self._section = section
        self._bot = bot
        self._cast = cast
        self._watch = watch
        self._book = book
        self._lockdown = lockdown
        self._in_session = in_session
        self._lane = lane
        self._hub = hub
        self._clock = clock
        self._failed: dict[int, tuple[str, str]] = {}  # by server, the picture that Discord does not take, and why
        self._wished: set[int] = set()  # servers whose wish changed since it was looked at
        self._opening = asyncio.Lock()
        self._opened: dict[tuple[Path, Stamp], bytes] = {}
        self._tasks = Tasks("profile pictures")

    def begin(self) -> None:
        """Follow characters and moods, until `close`."""
        if not self._section.enabled:
            return
        for event in (CharacterChosen, MoodChanged):
            self._hub.subscribe(event, self._changed, owner=self)
        self._hub.subscribe(FeatureReleased, self._released, owner=self)

    def listeners(self) -> dict[str, Callable[..., Awaitable[None]]]:
        """What the runtime attaches to the bot, by discord.py's event name."""
        return {"on_ready": self._make_up} if self._section.enabled else {}

    async def close(self) -> None:
        """Change nothing more; what is still to be changed is seen again at the next start."""
        self._hub.drop(self)
        await self._tasks.cancel_all()

    def told(self, guild_id: int) -> str:
        """Why a server does not see the picture that it is to see, in words; empty if it does."""
        if not self._section.enabled or not self._tasks.running(f"server {guild_id}"):
            return REFUSED.format(reason=self._failed[guild_id][1]) if guild_id in self._failed else ""
        return self._hindrance(guild_id)

    def foretold(self, guild_id: int) -> str:
        """The same for a character that was chosen just now: what its picture will wait for; empty if nothing is to be waited for."""
        sheet = self._cast.active(guild_id)
        has_picture = sheet is not None and (
            sheet.picture is not None or any(each.avatar for each in sheet.table.moods)
        )
        if not self._section.enabled or not (has_picture or self._book.of(guild_id).picture):
            return ""
        return self._hindrance(guild_id)

    def _hindrance(self, guild_id: int) -> str:
        if self._locked(guild_id):
            return LOCKED
        left_s = pace.wait_s(self._book.of(guild_id).changes, self._clock.now())
        return WAITS.format(minutes=max(1, round(left_s / 60))) if left_s else ""

    async def opened(self, path: Path) -> bytes:
        """A picture as it may be shown: opened in a worker, small and square. Who wants the same waits for it, and shares it.

        Raises:
            OSError: It cannot be read.
            ParleyError: It is none, or too large, or the lane is full.
        """
        async with self._opening:
            stamp = await asyncio.to_thread(stamp_of, path)
            if (path, stamp) not in self._opened:
                data = await self._open(path, stamp[1])
                kept = list(self._opened.items())[1 - MOST_OPENED :]
                self._opened = {**dict(kept), (path, stamp): data}
            return self._opened[path, stamp]

    async def _open(self, path: Path, size: int) -> bytes:
        section = self._section
        if size > section.max_file_mb * 2**20:
            raise ParleyError(f"Its picture is larger than {section.max_file_mb} MiB.")
        data = await asyncio.to_thread(path.read_bytes)
        limits = PictureLimits(section.max_file_mb, section.max_megapixels, section.side_px)
        return await self._lane.run(portrait, data, limits, owner=Owner())

    def _locked(self, guild_id: int) -> bool:
        return self._in_session() or self._lockdown.locked(AVATAR, guild_id=guild_id)

    def _changed(self, event: CharacterChosen | MoodChanged) -> None:
        self._keep_up(event.guild_id)

    def _released(self, event: FeatureReleased) -> None:
        if event.feature == AVATAR:
            for guild in self._bot.guilds:
                self._keep_up(guild.id)

    async def _make_up(self) -> None:
        """Bring every server up to date that missed a change while the bot was away."""
        for guild in self._bot.guilds:
            if self._cast.active(guild.id) is not None or self._book.of(guild.id).picture:
                self._keep_up(guild.id)

    def _keep_up(self, guild_id: int) -> None:
        if guild_id:
            self._wished.add(guild_id)
            self._tasks.start(self._bring_up(guild_id), f"server {guild_id}")  # one a server, which sees the new wish

    async def _bring_up(self, guild_id: int) -> None:
        """Change the picture as soon as that may be, to what is wanted by then."""
        while True:
            self._wished.discard(guild_id)
            wanted = await asyncio.to_thread(self._wanted, guild_id)
            failed = self._failed.get(guild_id)
            if wanted.key == self._book.of(guild_id).picture or (failed is not None and failed[0] == wanted.key):
                if guild_id in self._wished:  # another wish came while this one was looked at
                    continue
                return
            self._failed.pop(guild_id, None)
            if self._locked(guild_id):
                await self._clock.sleep(LOOK_S)
                continue
            left_s = pace.wait_s(self._book.of(guild_id).changes, self._clock.now())
            if left_s:
                await self._clock.sleep(min(left_s, 60.0))
                continue
            await self._change(guild_id, wanted)

    def _wanted(self, guild_id: int) -> WantedPicture:
        """Runs in a thread."""
        sheet, mood = self._cast.active(guild_id), self._watch.mood(guild_id)
        if sheet is None:
            return WantedPicture()
        path = sheet.mood_picture(mood.name) if mood is not None and self._section.by_mood else sheet.picture
        if path is None:
            return WantedPicture()
        try:
            changed, size = stamp_of(path)
        except OSError:
            return WantedPicture(f"{path.name}/gone", path)
        return WantedPicture(f"{sheet.id}/{path.name}/{changed}/{size}", path)

    async def _change(self, guild_id: int, wanted: WantedPicture) -> None:
        guild = self._bot.get_guild(guild_id)
        if guild is None:
            self._failed[guild_id] = wanted.key, "I am not on this server any more"
            return
        try:
            data = await self.opened(wanted.path) if wanted.path is not None else None
        except WorkersBusy as error:
            _log.info("the picture of server %d waits: %s", guild_id, error.sentence)
            await self._clock.sleep(BUSY_S)
            return
        except OSError as error:
            self._fail(guild_id, wanted, f"its file cannot be read ({error.strerror})")
            return
        except ParleyError as error:
            self._fail(guild_id, wanted, error.sentence.rstrip("."))
            return
        if self._locked(guild_id):  # a session began while it was opened
            return
        await self._send(guild, wanted, data)

    async def _send(self, guild: discord.Guild, wanted: WantedPicture, data: bytes | None) -> None:
        now = self._clock.now()
        try:
            async with asyncio.timeout(EDIT_S):
                await guild.me.edit(avatar=data)
        except (TimeoutError, discord.RateLimited) as error:
            await self._put_off(guild.id, getattr(error, "retry_after", pace.WINDOW_S))
        except discord.HTTPException as error:
            if _too_fast(error):
                await self._put_off(guild.id, pace.WINDOW_S)
            elif error.status >= 500:
                await self._clock.sleep(60.0)
            else:
                self._fail(guild.id, wanted, f"Discord refuses it ({error.status})", error)
        except (aiohttp.ClientError, OSError) as error:
            _log.info("the picture of server %d waits: %r", guild.id, error)
            await self._clock.sleep(60.0)
        else:
            changes = pace.noted(self._book.of(guild.id).changes, now)
            await self._book.note(guild.id, picture=wanted.key, changes=changes)

    async def _put_off(self, guild_id: int, for_s: float) -> None:
        """Discord says that it is too often: the same is not asked again before its time is over."""
        _log.info("the picture of server %d waits: Discord allows no more changes for now", guild_id)
        await self._book.note(guild_id, changes=pace.refused(self._clock.now(), for_s))

    def _fail(self, guild_id: int, wanted: WantedPicture, reason: str, error: Exception | None = None) -> None:
        self._failed[guild_id] = wanted.key, reason
        _log.warning("the picture of server %d could not be changed: %s", guild_id, reason, exc_info=error)


def _too_fast(error: discord.HTTPException) -> bool:
    """Whether Discord refuses a picture because there were too many; its code stands where discord.py does not show it."""
    if error.status == 429:
        return True
    told = f"{error.text} {getattr(error, '_errors', '')}"
    return error.status == 400 and error.code == INVALID_FORM and ("AVATAR_RATE_LIMIT" in told or "too fast" in told)
