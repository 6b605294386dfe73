"""What hangs on the runtime, room by room."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.bot.autonomous import AutonomousChannels
    from core.bot.captions import LiveCaptions
    from core.bot.interactions import InteractionRouter
    from core.bot.live_transcripts import LiveTranscripts
    from core.bot.messages import MessageRouter
    from core.bot.missed import MissedTalk
    from core.bot.music import Music
    from core.bot.own_voice import OwnVoice
    from core.bot.people_at_work import PeopleAtWork
    from core.bot.persona_room import Persona
    from core.bot.presence_line import PresenceLine
    from core.bot.recording_minutes import RecordingMinutes
    from core.bot.spoken_commands import SpokenCommands
    from core.bot.transcripts import Transcripts
    from core.bot.voice_hearing import VoiceHearing
    from core.bot.webhooks import Webhooks
    from core.config import Config, Environment
    from core.conversation.intake import Intake
    from core.conversation.service import Conversation
    from core.conversation.voice_preferences import VoicePreferences
    from core.fetch import Fetcher
    from core.hearing.hearing import Hearing
    from core.hearing.transcriber import Transcriber
    from core.hub import Hub
    from core.llm.models import Models
    from core.lockdown.service import Lockdown
    from core.machine.workers import Workers
    from core.persona.occasions import Occasions
    from core.persona.people.people import People
    from core.persona.watching.service import Watching
    from core.privacy.service import Privacy
    from core.recording.service import Recordings
    from core.schedule.pictures import SchedulePictures
    from core.schedule.service import Schedules
    from core.store.history import HistoryRepository
    from core.store.settings import SettingsRepository
    from core.store.store import Store
    from core.studio.studio import Studio
    from core.training.training import Training
    from core.voice.service import VoiceService


class Rooms:
    """The rooms that a runtime has opened; `Runtime._open` sets them."""

    config: Config
    environ: Environment
    hub: Hub
    store: Store
    settings: SettingsRepository
    history: HistoryRepository
    workers: Workers
    fetcher: Fetcher
    watching: Watching
    models: Models
    voice: VoiceService
    lockdown: Lockdown
    privacy: Privacy
    recordings: Recordings
    transcriber: Transcriber | None
    transcripts: Transcripts
    minutes: RecordingMinutes
    live_transcripts: LiveTranscripts
    conversation: Conversation
    intake: Intake
    hearing: Hearing
    voice_hearing: VoiceHearing
    captions: LiveCaptions
    spoken: SpokenCommands
    missed: MissedTalk
    messages: MessageRouter
    interactions: InteractionRouter
    studio: Studio
    music: Music
    voice_preferences: VoicePreferences
    webhooks: Webhooks
    persona: Persona
    presence_line: PresenceLine | None
    occasions: Occasions
    training: Training
    schedules: Schedules
    schedule_pictures: SchedulePictures
    people: People
    people_at_work: PeopleAtWork
    own_voice: OwnVoice
    autonomous: AutonomousChannels
