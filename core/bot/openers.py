"""Opens the rooms of a runtime, one function a room; each has its closing put on the stack as soon as there is something to close."""

from __future__ import annotations

import asyncio
import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import discord

    from core.bot.captions import LiveCaptions
    from core.bot.closing import ClosingStack
    from core.bot.hearing_session import HearingParts
    from core.bot.live_transcripts import LiveTranscripts
    from core.bot.music import Music
    from core.bot.presence_line import PresenceLine
    from core.bot.recording_minutes import RecordingMinutes
    from core.bot.sent_sound import SentSounds
    from core.bot.transcripts import Transcripts
    from core.bot.voice_hearing import VoiceHearing
    from core.clock import Clock
    from core.config import Config, Environment
    from core.conversation.intake import Intake
    from core.conversation.service import Conversation
    from core.fetch import Fetcher
    from core.hearing.hearing import Hearing
    from core.hearing.transcriber import Transcriber
    from core.hub import Hub
    from core.llm.models import Models
    from core.lockdown.service import Lockdown
    from core.machine.workers import Workers
    from core.privacy.service import Privacy
    from core.recording.service import Recordings
    from core.speech.speaker import Speaker
    from core.store.settings import SettingsRepository
    from core.store.store import Store
    from core.studio.studio import Studio
    from core.voice.service import VoiceService

CONFIG_VARIABLE = "PARLEY_CONFIG"


@dataclass(frozen=True, slots=True)
class Ground:
    """What every room stands on."""

    config: Config
    environ: Environment
    hub: Hub
    clock: Clock
    closing: ClosingStack


async def open_ground(
    config: Config | None, environ: Environment | None, clock: Clock, closing: ClosingStack
) -> Ground:
    """The checked settings, with their secrets at hand, and the hub.

    Raises:
        ConfigError: The configuration cannot be used.
    """
    from core.config import Environment, load, require_secrets
    from core.hub import Hub

    if config is None:
        named = os.environ.get(CONFIG_VARIABLE)
        config = await asyncio.to_thread(load, Path(named) if named else None)
    environ = environ if environ is not None else await asyncio.to_thread(Environment.read)
    require_secrets(config, environ)
    hub = Hub()
    hub.bind(asyncio.get_running_loop())
    closing.close_later("event hub", hub.close)
    return Ground(config, environ, hub, clock, closing)


async def open_store(ground: Ground) -> Store:
    """The database, with the tables of this version."""
    from core.store.store import Store

    store = Store(ground.config.store.url, base=ground.config.base)
    await store.open()
    ground.closing.close_later("store", store.close)
    return store


async def open_privacy(ground: Ground, store: Store) -> Privacy:
    """What people decided, before anybody could be recorded."""
    from core.privacy.kept import FILE
    from core.privacy.service import Privacy

    beside = ground.config.path(ground.config.recording.folder)
    privacy = Privacy(store, beside / FILE, ground.clock)
    ground.closing.close_later("privacy", privacy.close)
    await privacy.open()
    return privacy


def open_workers(ground: Ground) -> Workers:
    """The lanes of other processes."""
    from core.machine.workers import Workers

    config = ground.config
    roots = {
        "recordings": config.path(config.recording.folder),
        "models": config.path(config.hearing.whisper.folder),
    }
    workers = Workers(ground.config.workers, roots=roots)
    ground.closing.close_later("workers", workers.close)
    return workers


def open_fetcher(ground: Ground) -> Fetcher:
    """The one way to addresses that people give."""
    from core.fetch import Fetcher

    fetcher = Fetcher(ground.config.fetch, ground.clock)
    ground.closing.close_later("fetches", fetcher.close)
    return fetcher


def open_models(ground: Ground) -> Models:
    """The clients of the model routes."""
    from core.llm.models import Models

    models = Models(ground.config.model.routes, environ=ground.environ, names=(ground.config.prompt.name,))
    ground.closing.close_later("model clients", models.close)
    return models


async def open_lockdown(ground: Ground, store: Store, models: Models) -> Lockdown:
    """What gives way, with what the last process left undone."""
    from core.lockdown.service import Lockdown

    lockdown = Lockdown(ground.config.lockdown, store, ground.hub, ground.clock, routes=models, environ=ground.environ)
    ground.closing.close_later("lockdown", lockdown.close)
    await lockdown.open()
    return lockdown


async def open_recordings(ground: Ground, store: Store, workers: Workers, privacy: Privacy) -> Recordings:
    """Recordings, with what a crash left unfinished."""
    from core import __version__
    from core.recording.service import Recordings
    from core.store.recordings import RecordingsRepository

    recordings = Recordings(
        ground.config.recording,
        ground.config.path(ground.config.recording.folder),
        hub=ground.hub,
        clock=ground.clock,
        workers=workers.render,
        repository=RecordingsRepository(store),
        version=__version__,
        privacy=privacy,
    )
    ground.closing.close_later("recordings", recordings.close)
    await recordings.open()
    return recordings


def open_recogniser(ground: Ground, workers: Workers) -> Transcriber | None:
    """The recogniser that the configuration names, one for all who hear; it is opened when it is needed. None if that is off."""
    from core.hearing.factory import create_transcriber

    transcriber = create_transcriber(ground.config.hearing, ground.environ, ground.config.base, workers)
    if transcriber is not None:
        ground.closing.close_later("recogniser", transcriber.close)
    return transcriber


def create_hearing(ground: Ground, transcriber: Transcriber | None) -> Hearing:
    """What listens to voice sessions; nothing is opened before somebody is heard."""
    from core.hearing.hearing import Hearing

    hearing = Hearing(ground.config.hearing, transcriber, ground.hub, ground.clock)
    ground.closing.close_later("hearing", hearing.close)
    return hearing


def open_voice_hearing(ground: Ground, parts: HearingParts, voice: VoiceService) -> VoiceHearing:
    """Which voice sessions hear, from now on."""
    from core.bot.voice_hearing import VoiceHearing

    voice_hearing = VoiceHearing(parts, voice)
    ground.closing.close_later("voice hearing", voice_hearing.close)
    return voice_hearing


def open_captions(ground: Ground, hearing: VoiceHearing, privacy: Privacy) -> LiveCaptions:
    """Captions of sessions."""
    from core.bot.captions import LiveCaptions

    captions = LiveCaptions(hearing, ground.hub, ground.clock)
    privacy.register("captions", captions)
    ground.closing.close_later("captions", captions.close)
    return captions


async def open_transcripts(
    ground: Ground,
    store: Store,
    recordings: Recordings,
    transcriber: Transcriber | None,
    privacy: Privacy,
    workers: Workers,
    language: Callable[[int], str | None],
) -> Transcripts:
    """Transcripts of recordings; who is deleted or refuses is taken out of them from now on."""
    from core.bot.transcript_people import TranscribedPeople
    from core.bot.transcripts import Transcripts
    from core.store.transcripts import TranscriptsRepository

    repository = TranscriptsRepository(store)
    people = TranscribedPeople(recordings.archive, repository, ground.clock)
    privacy.register("transcripts", people, first=True)  # they are found by the recordings that somebody is on
    privacy.respect("recorded", people.decided)
    privacy.respect("heard", people.decided)
    transcripts = Transcripts(
        ground.config.hearing,
        recordings,
        repository,
        transcriber,
        hub=ground.hub,
        clock=ground.clock,
        consent=privacy.consent,
        lane=workers.models,
        models=ground.config.path(ground.config.hearing.whisper.folder),
        at_once=ground.config.workers.models.processes,
        language=language,
    )
    ground.closing.close_later("transcripts", transcripts.close)
    await transcripts.open()
    return transcripts


def open_live_transcripts(
    ground: Ground,
    transcripts: Transcripts,
    recordings: Recordings,
    hearing: Hearing,
    voice: VoiceService,
    privacy: Privacy,
    language: Callable[[int], str | None],
) -> LiveTranscripts:
    """What is said on recordings, written down while they run."""
    from core.bot.live_transcripts import LiveTranscripts

    live = LiveTranscripts(
        ground.config.hearing.transcripts,
        recordings,
        transcripts.repository,
        hearing=hearing,
        voice=voice,
        consent=privacy.consent,
        hub=ground.hub,
        clock=ground.clock,
        language=language,
    )
    privacy.register("live transcripts", live, first=True)  # before the words that are searched: none come after
    for kind in ("recorded", "heard"):
        privacy.respect(kind, live.decided, first=True)
    transcripts.before.append(live.settled)
    ground.closing.close_later("live transcripts", live.close)
    return live


def open_minutes(ground: Ground, recordings: Recordings, transcripts: Transcripts, models: Models) -> RecordingMinutes:
    """Minutes of recordings."""
    from core.bot.recording_minutes import RecordingMinutes

    minutes = RecordingMinutes(ground.config.hearing.transcripts, recordings.archive, transcripts, models)
    ground.closing.close_later("minutes", minutes.close)
    return minutes


def open_studio(ground: Ground, workers: Workers, lockdown: Lockdown) -> Studio:
    """Pictures and drawings."""
    from core.studio.studio import DRAWING, Studio

    workflow = ground.config.studio.comfyui.workflow
    studio = Studio(
        ground.config.studio,
        ground.config.path(workflow) if workflow else None,
        ground.hub,
        workers.strangers,
        gives_way=lambda: lockdown.locked(DRAWING),
        environ=ground.environ,
    )
    ground.closing.close_later("studio", studio.close)
    return studio


def open_voice(
    ground: Ground, bot: discord.Client, settings: SettingsRepository, lockdown: Lockdown, music: Music
) -> VoiceService:
    """Voice sessions, behind the lockdown's gate."""
    from core.voice.service import VoiceService

    make_speaker = speaker_maker(ground)
    voice = VoiceService(
        bot, ground.config.voice, ground.hub, ground.clock, settings, make_speaker, make_deck=music.make_deck
    )
    voice.add_gate(lockdown)
    ground.closing.close_later("voice sessions", voice.close)
    return voice


def create_sent_sounds(
    ground: Ground, transcriber: Transcriber | None, workers: Workers, privacy: Privacy
) -> SentSounds:
    """What listens to voice messages."""
    from core.bot.sent_sound import SentSounds

    config = ground.config
    sounds = SentSounds(config.hearing, transcriber, workers.strangers, privacy.consent, config.voice.upload_limit_mb)
    privacy.register("voice messages being heard", sounds)
    return sounds


def create_intake(
    ground: Ground,
    conversation: Conversation,
    voice: VoiceService,
    settings: SettingsRepository,
    lockdown: Lockdown,
    sounds: SentSounds,
) -> Intake:
    """What takes up prompts; it closes after the conversation, so that whoever asks last is told why nobody answers."""
    from core.conversation.intake import TEXT, Doors, Intake

    doors = Doors(
        lambda message: lockdown.allows(TEXT, message), lambda guild_id: lockdown.locked(TEXT, guild_id=guild_id)
    )
    config = ground.config
    intake = Intake(
        config.prompt,
        config.hearing,
        conversation=conversation,
        voice=voice,
        settings=settings,
        doors=doors,
        clock=ground.clock,
        sounds=sounds,
    )
    ground.closing.close_later("intake", intake.close)
    return intake


def speaker_maker(ground: Ground) -> Callable[[], Speaker]:
    """What makes the speaker of a session, with the engine that the configuration names."""
    config = ground.config

    def make() -> Speaker:
        from core.speech.factory import create_engine
        from core.speech.speaker import Speaker

        return Speaker(create_engine(config.speech, ground.environ, config.base), config.speech)

    return make


def open_presence_line(ground: Ground, bot: discord.Client, voice: VoiceService) -> PresenceLine:
    """The line under the bot's name; it closes before the sessions, whose ends would start it anew."""
    from core.bot.presence_line import PresenceLine

    line = PresenceLine(bot, voice, ground.hub)
    ground.closing.close_later("status line", line.close)
    return line


def warm_up(with_model: bool) -> None:
    """Import what the first session needs, so that the first join and the first prompt do not wait for it."""
    for name in ("core.voice.connection.client", "core.speech.speaker", *(["openai"] if with_model else [])):
        importlib.import_module(name)
    importlib.import_module("core.music.opening").warm_up()
