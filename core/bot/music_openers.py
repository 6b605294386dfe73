"""Opens the music of a runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.machine.lane import Owner

if TYPE_CHECKING:
    from core.bot.music import Music
    from core.bot.openers import Ground
    from core.bot.rooms import Rooms
    from core.fetch import Fetcher
    from core.machine.workers import Workers


def open_music(ground: Ground, workers: Workers, fetcher: Fetcher) -> Music:
    """What is played beside the voice, in sessions to come; it closes after them."""
    from core.bot.music import Music
    from core.bot.music_card import MusicCards
    from core.bot.music_surveys import MusicSurveys
    from core.music.sources.web import WebSounds
    from core.music.sources.ytdlp import Extractor

    section = ground.config.music
    music = Music(ground.config, workers.strangers)
    music.cards = MusicCards(ground.clock, enabled=section.card)
    music.surveys = MusicSurveys(workers.strangers, music.max_s)
    folder = ground.config.path(section.ytdlp.folder) if section.ytdlp.folder else None
    music.web = WebSounds(
        fetcher,
        music.spool.folder,
        make_file=music.file,
        vet=lambda path: music.vet(path, Owner()),
        extractor=Extractor(section.ytdlp, folder),
        clock=ground.clock,
    )
    for close, what in (
        (music.close, "music"),
        (music.web.close, "music sources"),
        (music.surveys.close, "music surveys"),
        (music.cards.close, "music cards"),
    ):
        ground.closing.close_later(what, close)
    return music


async def watch_music(rooms: Rooms, ground: Ground) -> None:
    """Let music mind the people around it and the ends of sessions, and remember its queues."""
    from core.bot.music_company import MusicCompany
    from core.bot.music_memory import MusicMemory
    from core.events import SessionEnded
    from core.store.music import MusicRepository

    music, voice, hearing = rooms.music, rooms.voice, rooms.voice_hearing
    enabled = ground.config.music.resume_queue
    memory = MusicMemory(
        music, voice, MusicRepository(rooms.store), hub=ground.hub, clock=ground.clock, enabled=enabled
    )
    rooms.privacy.register("queues of music", memory)
    ground.closing.close_later("music's memory", memory.close)
    await memory.open()

    company = MusicCompany(ground.config.music, voice, ground.hub, lambda session: hearing.hears(session))
    ground.closing.close_later("music's company", company.close)

    async def ended(event: SessionEnded) -> None:
        music.ended(event.session_id)
        await music.cards.ended(event.session_id)

    ground.hub.subscribe(SessionEnded, ended, owner=music)
