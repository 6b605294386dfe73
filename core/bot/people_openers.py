"""Opens the gate of what the bot does by itself, and what it knows of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from discord.ext import commands

    from core.bot.openers import Ground
    from core.bot.people_at_work import PeopleAtWork
    from core.bot.rooms import Rooms
    from core.persona.occasions import Occasions
    from core.persona.people.people import People


async def open_occasions(rooms: Rooms, ground: Ground, *, servers: Callable[[], int]) -> Occasions:
    """The gate of what the bot does by itself, with what it has spent of the day.

    Raises:
        StoreError: That cannot be read.
    """
    from core.llm.tokens import estimate_tokens
    from core.persona.budget import DayBudget
    from core.persona.occasions import Occasions
    from core.store.spending import SpendingRepository

    section = ground.config.persona
    budget = DayBudget(
        SpendingRepository(rooms.store),
        limit=section.tokens_per_day,
        share=section.server_share,
        servers=servers,
        clock=ground.clock,
    )
    await budget.open()
    return Occasions(
        budget,
        route=section.route,
        doors=rooms.lockdown,
        consent=rooms.privacy.consent,
        models=rooms.models,
        busy=lambda: rooms.conversation.busy,
        count_tokens=estimate_tokens,
        clock=ground.clock,
    )


async def open_people(rooms: Rooms, ground: Ground, bot: commands.Bot) -> People:
    """Whom the bot knows; nothing is read along yet, and no profile is made.

    Raises:
        StoreError: It cannot be read where the bot reads along.
    """
    from core.bot.people_places import ObservedPlaces
    from core.llm.messages import ChatMessage
    from core.persona.people.channels import ObservedChannels
    from core.persona.people.joining_in import JoiningIn
    from core.persona.people.kept import ObservedPeople
    from core.persona.people.messages import ObservedMessages
    from core.persona.people.people import People
    from core.persona.people.profiles import Profiles
    from core.persona.people.temperature import Temperatures
    from core.store.observed import ObservedRepository
    from core.store.persona_channels import PersonaChannelsRepository
    from core.store.profiles import ProfilesRepository

    section, clock, consent = ground.config.persona, ground.clock, rooms.privacy.consent
    consent.rule("observed", section.consent)
    settings, kept = PersonaChannelsRepository(rooms.store), ProfilesRepository(rooms.store)
    channels = ObservedChannels(settings, configured=section.observe, every=section.joining_in.every, clock=clock)
    await channels.open()
    messages = ObservedMessages(
        ObservedRepository(rooms.store), consent, clock, keep_days=section.keep_days, keep_least=section.keep_messages
    )
    profiles = Profiles(
        section.profiles,
        kept,
        messages,
        occasions=rooms.occasions,
        consent=consent,
        places=ObservedPlaces(bot, channels),
        question=lambda instruction, about: [ChatMessage("system", instruction), ChatMessage("user", about)],
        clock=clock,
    )
    temperatures = Temperatures(section.temperature, settings, lambda: _usual(rooms))
    await profiles.open()
    await temperatures.open()
    people = People(channels, messages, profiles, JoiningIn(section.joining_in, channels, clock), temperatures)
    ground.closing.close_later("people", people.close)
    owner = ObservedPeople(messages, profiles, kept, temperatures, settings)
    rooms.privacy.register("observed messages", owner)
    rooms.privacy.respect("observed", owner.decided)
    messages.begin()
    return people


def _usual(rooms: Rooms) -> float | None:
    """The temperature of the route in use, if it says one."""
    route = rooms.models.routes.get(rooms.models.current)
    return None if route is None else route.temperature


def open_people_at_work(
    rooms: Rooms, ground: Ground, bot: commands.Bot, listen: Callable[[str, Callable[..., Awaitable[None]]], object]
) -> PeopleAtWork:
    """What hears Discord for it, and advises turns."""
    from core.bot.people_advice import PeopleAdviser, TemperatureWishes
    from core.bot.people_at_work import PeopleAtWork
    from core.bot.people_joining_in import JoinsIn
    from core.bot.people_watch import PeopleWatch
    from core.store.profiles import ProfilesRepository

    people = rooms.people
    watch = PeopleWatch(bot, people, rooms.intake, rooms.voice, ground.clock)
    joins_in = JoinsIn(people, watch, rooms.occasions, rooms.conversation)
    at_work = PeopleAtWork(people, watch, joins_in, TemperatureWishes(bot, people), ProfilesRepository(rooms.store))
    ground.closing.close_later("reading along", at_work.close)
    rooms.conversation.advise_with(PeopleAdviser(people))
    for name, listener in watch.listeners().items():
        listen(name, listener)
    return at_work
