"""Makes the speech engine that the configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from core.config.speech import SpeechSection
    from core.speech.engine import SpeechEngine


def create_engine(section: SpeechSection, environ: Mapping[str, str], base: Path) -> SpeechEngine:
    """The engine that the configuration names, not opened yet.

    Args:
        section: `[speech]`.
        environ: Where keys are looked up, under the names that the section gives.
        base: Where relative paths start.
    """
    if section.engine == "websocket":
        from core.speech.engines.token_socket import TokenSocketEngine

        return TokenSocketEngine(section.websocket)
    if section.engine == "openai":
        from core.speech.engines.openai_http import OpenAIEngine

        return OpenAIEngine(section.openai, environ.get(section.openai.api_key_env, ""))
    if section.engine == "elevenlabs":
        from core.speech.engines.elevenlabs import ElevenLabsEngine

        return ElevenLabsEngine(section.elevenlabs, environ.get(section.elevenlabs.api_key_env, ""))
    if section.engine == "wyoming":
        from core.speech.engines.wyoming import WyomingEngine

        return WyomingEngine(section.wyoming)
    if section.engine == "piper":
        if section.piper.voice_file:
            from core.speech.engines.piper_file import PiperFileEngine

            return PiperFileEngine(base / section.piper.voice_file)
        from core.speech.engines.piper_http import PiperHttpEngine

        return PiperHttpEngine(section.piper)
    from core.speech.engines.espeak import EspeakEngine

    return EspeakEngine(section.espeak)
