"""`runtime.people_at_work`: what reads along, joins in and hears wishes; it begins with the cog and rests without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.bot.people_advice import TemperatureWishes
    from core.bot.people_joining_in import JoinsIn
    from core.bot.people_watch import PeopleWatch
    from core.persona.people.people import People
    from core.store.profiles import ProfilesRepository


class PeopleAtWork:
    """The parts of `runtime.people` that touch Discord."""

    def __init__(
        self,
        people: People,
        watch: PeopleWatch,
        joins_in: JoinsIn,
        wishes: TemperatureWishes,
        kept_profiles: ProfilesRepository,
    ) -> None:
        """Everything rests."""
        self._people = people
        self.watch = watch
        self.joins_in = joins_in
        self.wishes = wishes
        self.kept_profiles = kept_profiles

    def begin(self) -> None:
        """Read along and join in, from now on."""
        self.watch.join_in = self.joins_in.join_in

    async def rest(self) -> None:
        """Keep nothing more and say nothing more; what was deleted is forgotten all the same."""
        self.watch.join_in = None
        await self.joins_in.close()
        await self._people.profiles.pause()

    async def close(self) -> None:
        """Rest, and look no more."""
        await self.rest()
        await self.watch.close()
        await self.wishes.close()
