"""Makes profiles in the background, one at a time, and gives them at once: those of late are held in memory."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import ParleyError, StoreError
from core.persona.occasions import Occasion, OccasionRefused
from core.persona.people import profile as words
from core.persona.people.profile import Profile, ProfileRefused
from core.store.observed import unchanged
from core.store.profiles import OPEN, ProfileKey, StoredProfile
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from core.clock import Clock
    from core.config.people import ProfilesSection
    from core.persona.occasions import Occasions
    from core.persona.people.messages import ObservedMessages
    from core.privacy.consent import Consent
    from core.store.observed import Observed
    from core.store.profiles import ProfilesRepository

_log = logging.getLogger(__name__)

FEATURE = "profiles"
LEAST = 5  # messages that say something about anybody
HELD = 4096  # profiles in memory
RETRY_FIRST_S, RETRY_MOST_S = 120.0, 6 * 3600.0
PUT_OFF_S: dict[str, float] = {"lockdown": 2.0, "busy": 30.0, "budget": 900.0}
TEMPERATURE = 0.2


class Places(Protocol):
    """Where the bot reads along, and who may read there."""

    def observed(self, guild_id: int) -> Collection[int]:
        """The channels of a server in which the bot reads along."""
        ...

    def is_open(self, guild_id: int, channel_id: int) -> bool:
        """Whether everybody on the server may read a channel."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of somebody for one place."""

    profile: Profile
    corrected: Mapping[str, Any]
    sources: int = 0  # messages that it rests on


class Profiles:
    """The profiles of all people.

    What somebody wrote where everybody of a server may read makes the profile for all of it; what they wrote in a channel
    that not all may read makes another, which is used in that channel alone. Both are asked for at the moment of use
    whether that is still so.
    """

    def __init__(
        self,
        section: ProfilesSection,
        repository: ProfilesRepository,
        messages: ObservedMessages,
        *,
        occasions: Occasions,
        consent: Consent,
        places: Places,
        question: Callable[[str, str], Sequence[Any]],
        clock: Clock,
    ) -> None:
        """Nothing is made before `resume`.

        Args:
            section: `[persona.profiles]`.
            repository: Where they are kept.
            messages: What they are made from.
            occasions: Asks the model, if it may be asked.
            consent: What people decided.
            places: Where the bot reads along.
            question: Makes the messages of a prompt of an instruction and what it is about.
            clock: Time.
        """
        self._section = section
        self._repository = repository
        self._occasions = occasions
        self._consent = consent
        self._places = places
        self._question = question
        self._clock = clock
        self._messages = messages
        self._held: OrderedDict[ProfileKey, StoredProfile | None] = OrderedDict()
        self._holds_all = False  # whether there are no others in the database, but for those that are stale
        self._stale: set[ProfileKey] = set()
        self._counts: dict[ProfileKey, int] = {}  # messages since the profile was made
        self._due: dict[ProfileKey, float] = {}  # `clock.monotonic` from which on it may be made
        self._failures = Counter[ProfileKey]()
        self._epochs = Counter[int]()  # by person: what began before is thrown away
        self._woken = asyncio.Event()
        self._tasks = Tasks("profiles")

    async def open(self) -> None:
        """Hold the newest: a turn is not to wait for the database.

        Raises:
            StoreError: They cannot be read.
        """
        for each in await self._repository.newest(HELD):
            self._held[each.key] = each
        self._holds_all = len(self._held) < HELD

    # At work ----------------------------------------------------------------------------------------------------------

    @property
    def due(self) -> int:
        """Profiles that wait to be made."""
        return len(self._due)

    def due_on(self, guild_id: int) -> int:
        """Those of one server."""
        return sum(key.guild_id == guild_id for key in self._due)

    def resume(self) -> None:
        """Make what is due, from now on."""
        if self._section.enabled:
            self._tasks.start(self._work(), "work")

    async def pause(self) -> None:
        """Make nothing; what is being made is thrown away, and waits."""
        await self._tasks.cancel_all()

    close = pause

    # Being told -------------------------------------------------------------------------------------------------------

    async def noted(self, messages: Sequence[Observed]) -> None:
        """Messages were kept: of whoever wrote enough since, a profile is due."""
        if not self._section.enabled:
            return
        for key, count in Counter(self._key(each) for each in messages).items():
            before = self._counts.get(key)
            self._counts[key] = await self._count(key) if before is None else before + count
            if self._counts[key] >= self._section.every:
                self._set_due(key)

    def invalidated(self, keys: Iterable[ProfileKey]) -> None:
        """What these profiles rested on is gone; they are made anew when those people write again."""
        for key in keys:
            self._changed(key)
            self._epochs[key.user_id] += 1
            self._counts[key] = self._section.every

    def forget(self, user_id: int) -> None:
        """Somebody is forgotten: what is being made of them is thrown away."""
        self._epochs[user_id] += 1
        for known in (self._held, self._counts, self._due, self._failures):
            for key in [key for key in known if key.user_id == user_id]:
                known.pop(key, None)

    # Use --------------------------------------------------------------------------------------------------------------

    async def known(self, guild_id: int, user_id: int, channel_id: int) -> Known | None:
        """What may be used of somebody in a channel; None if there is nothing, or they refuse.

        Raises:
            StoreError: It cannot be read.
        """
        if not self._consent.allows("observed", guild_id, user_id):
            return None
        made = None
        if not self._places.is_open(guild_id, channel_id):
            made = await self._held_or_read(ProfileKey(guild_id, user_id, channel_id))
        everywhere = await self._held_or_read(ProfileKey(guild_id, user_id))
        if (made is None or made.profile is None) and everywhere is not None and self._may_show(everywhere):
            made = everywhere
        corrected = everywhere.corrected if everywhere is not None else dict[str, Any]()
        if not self._consent.allows("observed", guild_id, user_id):  # they refused while it was read
            return None
        profile = Profile.model_validate(made.profile) if made is not None and made.profile is not None else None
        if profile is None and not corrected:
            return None
        sources = len(made.sources) if made is not None and profile is not None else 0
        return Known(words.corrected_profile(profile, corrected), corrected, sources)

    async def correct(self, guild_id: int, user_id: int, given: Mapping[str, Any]) -> None:
        """Keep what somebody says of themselves; it holds over what the model finds.

        Raises:
            ProfileRefused: It is not allowed.
            StoreError: It cannot be kept.
        """
        checked = words.checked_correction(given)
        key = ProfileKey(guild_id, user_id)
        before = await self._held_or_read(key)
        await self._repository.correct(key, {**(before.corrected if before is not None else {}), **checked})
        self._changed(key)

    async def _held_or_read(self, key: ProfileKey) -> StoredProfile | None:
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        if self._holds_all and key not in self._stale:
            return None
        epoch = self._epochs[key.user_id]
        self._stale.discard(key)
        try:
            found = await self._repository.get(key)
        except BaseException:
            self._stale.add(key)
            raise
        if epoch == self._epochs[key.user_id] and key not in self._stale:
            self._held[key] = found
            if len(self._held) > HELD:
                self._held.popitem(last=False)
                self._holds_all = False
        return found

    def _changed(self, key: ProfileKey) -> None:
        """What is held of this one holds no more."""
        self._held.pop(key, None)
        self._stale.add(key)

    def _may_show(self, made: StoredProfile) -> bool:
        """Whether all that it rests on may still be read by everybody of the server."""
        return all(self._places.is_open(made.key.guild_id, each) for each in made.channels)

    # Making -----------------------------------------------------------------------------------------------------------

    def _key(self, message: Observed) -> ProfileKey:
        is_open = self._places.is_open(message.guild_id, message.channel_id)
        return ProfileKey(message.guild_id, message.user_id, OPEN if is_open else message.channel_id)

    def _channels(self, key: ProfileKey) -> list[int]:
        """The channels that a profile may rest on."""
        if key.scope != OPEN:
            return [key.scope]
        observed = self._places.observed(key.guild_id)
        return [each for each in observed if self._places.is_open(key.guild_id, each)]

    async def _count(self, key: ProfileKey) -> int:
        """Messages that no profile rests on yet, counted anew after a restart."""
        made = await self._held_or_read(key)
        last = max(made.sources, default=0) if made is not None else 0
        return await self._messages.repository.count_after(key.guild_id, key.user_id, self._channels(key), last)

    def _set_due(self, key: ProfileKey, at_s: float | None = None) -> None:
        if at_s is not None or key not in self._due:
            self._due[key] = at_s if at_s is not None else self._clock.monotonic()
            self._woken.set()

    async def _work(self) -> None:
        """Make what is due, one after the other, until cancelled."""
        while True:
            self._woken.clear()
            now_s = self._clock.monotonic()
            key = min(self._due, key=self._due.__getitem__, default=None)
            if key is None:
                await self._woken.wait()
            elif self._due[key] > now_s:
                self._tasks.start(self._wake_after(self._due[key] - now_s), "wake", replace=True)
                await self._woken.wait()
            else:
                await self._make(key)

    async def _wake_after(self, delay_s: float) -> None:
        await self._clock.sleep(delay_s)
        self._woken.set()

    async def _make(self, key: ProfileKey) -> None:
        """Try once; what does not succeed waits, longer each time."""
        try:
            made = await self._made(key)
        except OccasionRefused as refused:
            if refused.reason == "consent":
                self._due.pop(key, None)
                return
            if refused.reason in PUT_OFF_S:
                self._put_off(key, PUT_OFF_S[refused.reason])
                return
            self._failed(key, refused)
        except (ProfileRefused, StoreError) as error:
            self._failed(key, error)
        except Exception as error:  # noqa: BLE001 - one person's fault must not end the making of all; the log has it
            self._failed(key, error)
        else:
            self._failures.pop(key, None)
            if key in self._due:
                self._due.pop(key)
                self._counts[key] = 0 if made else self._section.every

    def _failed(self, key: ProfileKey, error: Exception) -> None:
        self._failures[key] += 1
        wait_s = min(RETRY_FIRST_S * 2 ** (self._failures[key] - 1), RETRY_MOST_S)
        told = error.sentence if isinstance(error, ParleyError) else type(error).__name__
        unexpected = not isinstance(error, ParleyError)
        _log.warning(
            "no profile was made; the old one stays, the next try is in %.0f s: %s", wait_s, told, exc_info=unexpected
        )
        self._put_off(key, wait_s)

    def _put_off(self, key: ProfileKey, delay_s: float) -> None:
        if key in self._due:  # not if the person was forgotten meanwhile
            self._due[key] = self._clock.monotonic() + delay_s

    async def _made(self, key: ProfileKey) -> bool:
        """Make one profile; False if something changed under it, so that it was thrown away."""
        refused = self._occasions.refusal(Occasion(FEATURE, key.guild_id, key.scope, frozenset({key.user_id})))
        if refused is not None:  # before anything is read for it
            raise refused
        epoch = self._epochs[key.user_id]
        found = await self._messages.newest(key.guild_id, key.user_id, self._channels(key), self._section.messages)
        if len(found) < LEAST:
            return True
        said = [each.content for each in found]
        occasion = Occasion(FEATURE, key.guild_id, found[-1].channel_id, frozenset({key.user_id}))
        answer = await self._occasions.ask(
            occasion,
            self._question(words.QUESTION, words.material(said)),
            max_tokens=self._section.max_tokens,
            temperature=TEMPERATURE,
        )
        profile = words.read_profile(answer, said)
        await self._messages.flush()  # a deletion that waits to be written counts

        async def still(session: AsyncSession) -> bool:
            allowed = self._consent.allows("observed", key.guild_id, key.user_id)
            return allowed and epoch == self._epochs[key.user_id] and await unchanged(session, found)

        channels = tuple(sorted({each.channel_id for each in found}))
        sources = tuple(each.id for each in found)
        made = StoredProfile(key, profile.model_dump(), {}, sources, channels, self._clock.now())
        if not await self._repository.save(made, still):
            _log.info("a profile was thrown away: what it rests on has changed meanwhile")
            return False
        self._changed(key)
        await self._held_or_read(key)
        return True
