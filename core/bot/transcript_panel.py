"""The panel of a recording that is over, while what was said on it is written down."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from core.bot.recording_messages import transcribed_text, transcribing_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from core.bot.transcripts import Transcripts
    from core.store.recordings import RecordingRecord

LOOK_S = 1.5


async def show_transcript(
    transcripts: Transcripts, record: RecordingRecord, show: Callable[[str], Awaitable[None]]
) -> None:
    """Keep a panel up to date until the transcript is there, or will not be; that is said once of all recordings."""
    shown = ""
    while (progress := transcripts.progress(record.id)) is not None:
        text = transcribing_text(record, progress)
        if text != shown and progress > 0:
            await show(text)
            shown = text
        await asyncio.sleep(LOOK_S)
    problem = transcripts.news(record.id)
    if problem or (transcripts.finished(record.id) and not transcripts.problem(record.id)):
        await show(transcribed_text(record, problem))
