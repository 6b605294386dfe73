"""Makes the recogniser that the configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from core.config.hearing import HearingSection
    from core.hearing.transcriber import Transcriber
    from core.machine.workers import Workers


def create_transcriber(
    section: HearingSection, environ: Mapping[str, str], base: Path, workers: Workers
) -> Transcriber | None:
    """The recogniser of `[hearing] engine`, not opened yet; None if that is off.

    Args:
        section: `[hearing]`.
        environ: Where keys are looked up, under the names that the section gives.
        base: Where relative paths start.
        workers: Whose lanes `live` and `models` the engine on this machine uses.
    """
    if section.engine == "off":
        return None
    if section.engine == "openai":
        from core.hearing.engines.openai_http import OpenAITranscriber

        return OpenAITranscriber(section, environ.get(section.openai.api_key_env, ""))
    if section.engine == "wyoming":
        from core.hearing.engines.wyoming import WyomingTranscriber

        return WyomingTranscriber(section)
    from core.hearing.engines.whisper import WhisperTranscriber

    return WhisperTranscriber(section, base, workers)
