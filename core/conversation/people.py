"""Owns what is held in memory of people who ask: it can be seen, exported and deleted while they wait or are answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from core.privacy.mentions import cleaner
from core.privacy.owners import About

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Mapping, Sequence

    from core.conversation.announcer import Announcer
    from core.conversation.gather import Gather
    from core.conversation.memory import ConversationMemory
    from core.conversation.turn import Turn
    from core.conversation.turn_queue import TurnQueues
    from core.privacy.owners import Person

UNDER_WAY = "{count} of your prompts wait to be answered or are being answered."
STOPPED = "{count} of your prompts were being answered or waited: they are neither answered nor remembered."
GATHERED = "{count} of your messages wait a moment for what else you may write."
DROPPED = "{count} of your messages had not been answered yet: they will not be."


class TurnsOfPeople:
    """A `DataOwner` over the turns that are held in memory.

    It has to be asked before whoever deletes from the database: what was about to be written is written by then, or is
    never written.
    """

    def __init__(
        self, queues: TurnQueues, recent: deque[Turn], memory: ConversationMemory, announcer: Announcer
    ) -> None:
        """Takes the turns under way, those of late, and whoever else remembers people."""
        self._queues = queues
        self._recent = recent
        self._memory = memory
        self._announcer = announcer

    async def describe_person(self, person: Person) -> About:
        """Say how many prompts of a person are under way, and as whom they asked."""
        turns = self._of(person)
        names = {name for turn in turns for user_id, name in turn.prompt.names if user_id == person.id and name}
        return About([UNDER_WAY.format(count=len(turns))] if turns else [], frozenset(names))

    async def export_person(self, person: Person) -> Mapping[str, bytes]:
        """Give what a person asked and is not answered yet."""
        asked = [turn.prompt.said_by(person.id) for turn in self._of(person)]
        if not asked:
            return {}
        return {"prompts_under_way.json": json.dumps(asked, indent=2, ensure_ascii=False).encode()}

    async def delete_person(self, person: Person) -> Sequence[str]:
        """Stop answering a person, and remember nothing of it; take them out of the turns of others.

        Raises:
            StoreError: The database cannot be read; what was under way is stopped all the same.
        """
        turns = self._of(person)
        for turn in turns:
            turn.stop()
        self._announcer.forget(person.id)
        for turn in [turn for turn in self._recent if person.id in turn.prompt.authors]:
            self._recent.remove(turn)
        places = await self._memory.forget(person)
        for turn in self._recent:
            if turn.outcome is not None:  # one that is under way takes them out when it is over
                there = turn.prompt.conversation_id in places
                turn.scrub(cleaner(person.id, person.names if there else ()))
        return [STOPPED.format(count=len(turns))] if turns else []

    def _of(self, person: Person) -> list[Turn]:
        return [turn for turn in self._queues.turns if person.id in turn.prompt.authors]


class GatheredPrompts:
    """A `DataOwner` over messages that wait for the rest of the thought."""

    def __init__(self, gather: Gather) -> None:
        self._gather = gather

    async def describe_person(self, person: Person) -> About:
        """Say how many messages of a person are waited with."""
        asked = self._gather.of(person.id)
        names = frozenset(each.prompt.author_name for each in asked)
        return About([GATHERED.format(count=len(asked))] if asked else [], names)

    async def export_person(self, person: Person) -> Mapping[str, bytes]:
        """Give those messages."""
        texts = [asked.prompt.said_by(person.id) for asked in self._gather.of(person.id)]
        return {"prompts_gathered.json": json.dumps(texts, indent=2, ensure_ascii=False).encode()} if texts else {}

    async def delete_person(self, person: Person) -> Sequence[str]:
        """Answer none of them."""
        count = self._gather.drop(person.id)
        return [DROPPED.format(count=count)] if count else []
