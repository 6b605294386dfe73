"""Moods are watched: by time and by what is said, apart for each server; only changes are told."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from core.bot.persona_cast import Cast
from core.bot.persona_watch import TICK_S, MoodWatch
from core.config.persona import PersonaSection
from core.conversation.turn import Prompt
from core.events import MoodChanged, TurnEnded
from core.hub import Hub
from core.persona.mood_keeper import MoodKeeper
from core.persona.shelf import Shelf
from core.privacy.consent import Consent
from core.store.persona import PersonaRepository
from core.store.store import Store

HERE, THERE, ADA, BO = 1, 2, 11, 12
NYX = """
name = "Nyx"
[[moods]]
name = "calm"
emoji = "🌊"
weight = 1
drift = 0
[[moods]]
name = "cross"
emoji = "😠"
weight = 0
drift = 0
half_life_s = 600
moved_by = { insult = 3 }
"""


@pytest.fixture
async def room(tmp_path, clock):
    store = Store(f"sqlite+aiosqlite:///{(tmp_path / 'parley.db').as_posix()}")
    await store.open()
    (tmp_path / "nyx.toml").write_text(NYX, encoding="utf-8")
    (tmp_path / "other.toml").write_text(NYX, encoding="utf-8")

    async def never(data, file):
        raise AssertionError("there is no card")

    hub = Hub()
    hub.bind(asyncio.get_running_loop())
    shelf = Shelf(tmp_path, tmp_path / "imported", never, 1)
    await shelf.open()
    repository = PersonaRepository(store)
    section = PersonaSection(default="nyx", direct_messages="nyx")
    moods = MoodKeeper(section.moods, repository, clock)
    voices = SimpleNamespace(has=lambda name: True)
    cast = Cast(section, shelf, repository, moods=moods, hub=hub, voices=voices, routes=())
    conversation, consent = SimpleNamespace(recent=[]), Consent()
    watch = MoodWatch(
        cast, moods, conversation=conversation, consent=consent, hub=hub, clock=clock, servers=lambda: servers
    )
    servers = [HERE, THERE]
    told: list[MoodChanged] = []
    hub.subscribe(MoodChanged, told.append, owner="test")

    async def said(text, user_id=ADA, guild_id=HERE, character="nyx", *, aloud=False):
        prompt = Prompt(5, guild_id or None, 5, user_id, "Ada", text)
        turn = SimpleNamespace(id=f"t{len(conversation.recent)}", prompt=prompt, aloud=aloud)
        conversation.recent.append(turn)
        hub.publish(TurnEnded(guild_id, turn.id, 5, "text", "", "", character))
        await clock.advance(0)

    watch.begin()
    yield SimpleNamespace(
        watch=watch,
        moods=moods,
        cast=cast,
        shelf=shelf,
        hub=hub,
        told=told,
        said=said,
        consent=consent,
        servers=servers,
    )
    await watch.close()
    await moods.close()
    await hub.close()
    await store.close()


def changes(room):
    return [(event.guild_id, event.character_id, event.mood, event.emoji) for event in room.told]


async def test_a_mood_that_fades_by_time_is_told_at_the_next_look_and_only_there(room, clock):
    await clock.advance(1)
    assert changes(room) == [(place, "nyx", "calm", "🌊") for place in (0, HERE, THERE)]
    room.told.clear()
    await room.said("you idiot")
    assert changes(room) == [(HERE, "nyx", "cross", "😠")]
    await clock.advance(600 * 3)
    assert changes(room) == [(HERE, "nyx", "cross", "😠"), (HERE, "nyx", "calm", "🌊")]
    await clock.advance(TICK_S * 20)
    assert len(room.told) == 2, "what stays as it is is not told"


async def test_the_words_of_who_refused_what_is_read_aloud_and_other_characters_words_move_nothing_here(room, clock):
    await clock.advance(1)
    room.told.clear()
    room.consent.decide("observed", BO, "out")
    await room.said("you idiot", BO)
    await room.said("you idiot", aloud=True)
    await room.said("you idiot", character="")
    await room.said("you idiot", character="nobody")
    assert room.told == []
    await room.said("you idiot", character="other")
    assert room.told == [], "another character than the active one is moved, which shows nowhere"
    assert room.moods.now(HERE, room.shelf.find("other", HERE)).name == "cross"
    await room.said("you idiot", guild_id=0)
    assert changes(room) == [(0, "nyx", "cross", "😠")]


async def test_the_line_under_the_name_shows_the_mood_of_the_only_server_or_of_direct_messages(room, clock):
    await clock.advance(1)
    await room.said("you idiot")
    assert room.watch.line() == "Feeling calm 🌊", "on several servers the one of direct messages"
    room.servers.remove(THERE)
    assert room.watch.line() == "Feeling cross 😠"
    await room.cast.choose(HERE, None)
    assert room.watch.line() is None
    await clock.advance(0)
    assert changes(room)[-1] == (HERE, "", "", "")
