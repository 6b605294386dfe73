"""Opens what is done at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import discord

    from core.bot.autonomous import AutonomousChannels
    from core.bot.openers import Ground
    from core.bot.own_voice import OwnVoice
    from core.bot.rooms import Rooms
    from core.schedule.pictures import SchedulePictures
    from core.schedule.service import Schedules


async def open_schedules(rooms: Rooms, ground: Ground) -> Schedules:
    """The schedules; each waits until whoever does its kind is there.

    Raises:
        StoreError: They cannot be read.
    """
    from core.bot.schedule_people import ScheduledPeople
    from core.schedule.service import Schedules

    schedules = Schedules(ground.config.schedule, rooms.store, ground.clock)
    ground.closing.close_later("schedules", schedules.close)
    rooms.privacy.register("schedules", ScheduledPeople(schedules))
    await schedules.open()
    return schedules


async def open_schedule_pictures(rooms: Rooms, ground: Ground) -> SchedulePictures:
    """Their pictures; those that belong to none are deleted."""
    from core.schedule.pictures import SchedulePictures

    pictures = SchedulePictures(ground.config.path(ground.config.schedule.pictures))
    ground.closing.close_later("pictures of schedules", pictures.close)
    rooms.schedules.on_gone(lambda schedule: pictures.drop(str(schedule.what.get("picture", ""))))
    await pictures.sweep([str(each.what.get("picture", "")) for each in rooms.schedules.all()])
    return pictures


def open_own_voice(rooms: Rooms, ground: Ground) -> OwnVoice:
    """As whom the bot speaks by itself."""
    from core.bot.own_voice import OwnVoice

    return OwnVoice(rooms.persona.cast, rooms.settings, rooms.conversation, ground.config.prompt.persona)


async def open_autonomous(rooms: Rooms, ground: Ground, bot: discord.Client) -> AutonomousChannels:
    """The channels in which the bot may speak up by itself.

    Raises:
        StoreError: They cannot be read.
    """
    from core.bot.autonomous import AutonomousChannels
    from core.store.autonomous import AutonomousRepository

    autonomous = AutonomousChannels(
        ground.config.persona.autonomous,
        AutonomousRepository(rooms.store),
        bot=bot,
        clock=ground.clock,
        occasions=rooms.occasions,
        own_voice=rooms.own_voice,
        voice=rooms.voice,
        zone=rooms.schedules.zone,
    )
    await autonomous.open()
    return autonomous
