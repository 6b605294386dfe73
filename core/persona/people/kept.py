"""Owns what is kept of people who were observed: shown, exported and deleted like everything else that is theirs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from core.privacy.mentions import cleaner
from core.privacy.owners import About

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.persona.people.messages import ObservedMessages
    from core.persona.people.profiles import Profiles
    from core.persona.people.temperature import Temperatures
    from core.privacy.owners import Person
    from core.store.decisions import Decision
    from core.store.persona_channels import PersonaChannelsRepository
    from core.store.profiles import ProfilesRepository

OBSERVED = (
    "I keep {count} of your messages from channels where I read along; `/persona profile` shows what I make of them."
)
PROFILED = "I keep {count} notes on how to talk with you."
SET = "You chose how freely I answer you: a temperature of {value:g}."
FORGOTTEN = "Forgotten: your messages from channels where I read along, and what I made of them."
UNSET = "How freely I answer you is as if you had never chosen."


class ObservedPeople:
    """A `DataOwner` over messages, profiles and temperatures; a refusal to be observed takes the first two."""

    def __init__(
        self,
        messages: ObservedMessages,
        profiles: Profiles,
        profiles_kept: ProfilesRepository,
        temperatures: Temperatures,
        settings: PersonaChannelsRepository,
    ) -> None:
        self._messages = messages
        self._profiles = profiles
        self._profiles_kept = profiles_kept
        self._temperatures = temperatures
        self._settings = settings

    async def describe_person(self, person: Person) -> About:
        """Say what is kept of a person.

        Raises:
            StoreError: The database cannot be read.
        """
        await self._messages.flush()
        count = await self._messages.repository.count_of(person.id)
        profiles = await self._profiles_kept.of_person(person.id)
        temperature = await self._settings.temperature(person.id)
        lines = [OBSERVED.format(count=count)] if count else []
        lines += [PROFILED.format(count=len(profiles))] if profiles else []
        lines += [SET.format(value=temperature)] if temperature is not None else []
        return About(lines)

    async def export_person(self, person: Person) -> Mapping[str, bytes]:
        """Give a person their messages, what was made of them, and what they chose.

        Raises:
            StoreError: The database cannot be read.
        """
        await self._messages.flush()
        files: dict[str, bytes] = {}
        messages = await self._messages.repository.of_person(person.id)
        if messages:
            told = [
                {
                    "at": each.at.isoformat(),
                    "server": str(each.guild_id),
                    "channel": str(each.channel_id),
                    "id": str(each.id),
                    "text": each.content,
                }
                for each in messages
            ]
            files["observed_messages.json"] = _json(told)
        profiles = [
            {
                "server": str(each.key.guild_id),
                "channel": str(each.key.scope) if each.key.scope else "all that everybody may read",
                "profile": each.profile,
                "corrected": each.corrected,
                "messages": [str(source) for source in each.sources],
                "made_at": each.made_at.isoformat() if each.made_at is not None else None,
            }
            for each in await self._profiles_kept.of_person(person.id)
        ]
        if profiles:
            files["profiles.json"] = _json(profiles)
        temperature = await self._settings.temperature(person.id)
        if temperature is not None:
            files["temperature.json"] = _json({"temperature": temperature})
        return files

    async def delete_person(self, person: Person) -> Sequence[str]:
        """Delete all of that, and take the person out of what others wrote.

        Raises:
            StoreError: The database cannot be written.
        """
        told = [FORGOTTEN] if await self._forget(person.id) else []
        if await self._settings.temperature(person.id) is not None:
            await self._settings.save_temperature(person.id, None)
            told.append(UNSET)
        self._temperatures.forget(person.id)
        clean = cleaner(person.id, person.names)
        for name in (str(person.id), *sorted(person.names)):
            self._profiles.invalidated(await self._messages.repository.clean(name, clean))
        return told

    async def decided(self, user_id: int, decision: Decision | None) -> str:
        """Somebody decided whether to be observed: nothing is kept of those who are not.

        Raises:
            StoreError: The database cannot be written.
        """
        if decision == "in":
            return ""
        return FORGOTTEN if await self._forget(user_id) else ""

    async def _forget(self, user_id: int) -> int:
        self._profiles.forget(user_id)  # first: what is being made of them must not be written behind
        count = await self._messages.forget_person(user_id)
        self._profiles.forget(user_id)
        return count


def _json(told: object) -> bytes:
    return json.dumps(told, indent=2, ensure_ascii=False).encode()
