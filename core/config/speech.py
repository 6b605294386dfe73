"""`[speech]`: which engine speaks, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.config.section import VARIABLE, Section

EngineName = Literal["espeak", "websocket", "openai", "elevenlabs", "wyoming", "piper"]


class TokenSocketSection(Section):
    """`[speech.websocket]`: a token WebSocket server (float32, 48 kHz)."""

    url: str = Field(default="ws://127.0.0.1:8765", pattern=r"^wss?://")
    rate_hz: int = Field(default=48000, ge=8000, le=192000)


class OpenAISpeechSection(Section):
    """`[speech.openai]`: an OpenAI-style `/v1/audio/speech` server."""

    base_url: str = Field(default="http://127.0.0.1:8880/v1", pattern=r"^https?://")
    model: str = "tts-1"
    voice: str = "alloy"
    api_key_env: str = Field(
        default="SPEECH_API_KEY",
        pattern=VARIABLE,
        description="Environment variable that holds the key, if one is needed.",
    )
    rate_hz: int = Field(default=24000, ge=8000, le=192000, description="Rate of raw PCM whose rate is not announced.")


class ElevenLabsSection(Section):
    """`[speech.elevenlabs]`: the ElevenLabs streaming WebSocket."""

    url: str = Field(default="wss://api.elevenlabs.io", pattern=r"^wss?://")
    voice_id: str = ""
    model: str = "eleven_flash_v2_5"
    api_key_env: str = Field(default="ELEVENLABS_API_KEY", pattern=VARIABLE)
    rate_hz: Literal[16000, 22050, 24000, 44100] = 24000


class WyomingSection(Section):
    """`[speech.wyoming]`: a Wyoming server over TCP."""

    host: str = "127.0.0.1"
    port: int = Field(default=10200, ge=1, le=65535)
    voice: str = ""


class PiperSection(Section):
    """`[speech.piper]`: a Piper HTTP server, or a voice file used in this process when `voice_file` names one."""

    url: str = Field(default="http://127.0.0.1:5000", pattern=r"^https?://")
    voice: str = ""
    voice_file: str = Field(default="", description="Path of an .onnx voice; its .onnx.json lies beside it.")


class EspeakSection(Section):
    """`[speech.espeak]`: the embedded engine, which needs no server."""

    voice: str = Field(default="en-us", min_length=1)
    words_per_minute: int = Field(default=165, ge=80, le=450)


class SpeechSection(Section):
    """How text becomes sound."""

    engine: EngineName = "espeak"
    rate: float = Field(default=1.0, ge=0.5, le=2.0, description="Speed of speech; 1 is the engine's own.")
    pitch: float = Field(default=0.0, ge=-12, le=12, description="Semitones up or down.")
    first_audio_timeout_s: float = Field(default=8, gt=0, description="How long an engine may take to begin.")
    first_clause_chars: int = Field(default=10, ge=1, description="Shortest first piece of text sent to the engine.")
    first_clause_words: int = Field(default=12, ge=1, description="A first piece is cut after this many words.")
    chunk_chars: int = Field(default=300, ge=40, description="Longest piece of text once speech is under way.")
    queued_audio_s: float = Field(default=5, gt=0, description="Wait with more text while this much audio is queued.")
    retries: int = Field(
        default=1, ge=0, le=5, description="New tries of a piece of text before the turn falls back to text."
    )
    websocket: TokenSocketSection = TokenSocketSection()
    openai: OpenAISpeechSection = OpenAISpeechSection()
    elevenlabs: ElevenLabsSection = ElevenLabsSection()
    wyoming: WyomingSection = WyomingSection()
    piper: PiperSection = PiperSection()
    espeak: EspeakSection = EspeakSection()
