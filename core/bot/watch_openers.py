"""Opens what watches pages and feeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.bot.openers import Ground
    from core.bot.rooms import Rooms
    from core.persona.watching.service import Watching


async def open_watching(rooms: Rooms, ground: Ground) -> Watching:
    """What is watched; nothing is looked at before somebody posts.

    Raises:
        StoreError: It cannot be read.
    """
    from core.bot.watch_people import WatchPeople
    from core.persona.watching.looking import Looker
    from core.persona.watching.service import Watching

    section = ground.config.watch
    looker = Looker(section, rooms.fetcher, rooms.workers.strangers, ground.clock)
    watching = Watching(section, rooms.store, looker, ground.clock)
    ground.closing.close_later("watching", watching.close)
    rooms.privacy.register("watches", WatchPeople(watching))
    await watching.open()
    return watching
