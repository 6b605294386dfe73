from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.conversation.prompt_messages import messages
from core.conversation.turn import Prompt, Timings, Turn
from core.speech.engine import SpeechChunk
from core.speech.heard import HeardText
from core.store.history import HistoryEntry, HistoryRepository
from core.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PROMPT = Prompt(1, 1, 1, 7, "Ada", "And now?")


def line(turn: str, role: str, content: str) -> HistoryEntry:
    return HistoryEntry(turn, "user" if role == "user" else "assistant", content, NOW, 7, "Ada")


def test_prompts_that_were_never_answered_are_left_out() -> None:
    history = [
        line("a", "assistant", "of a question that is forgotten"),
        line("b", "user", "refused"),
        line("c", "user", "answered"),
        line("c", "assistant", "Yes."),
        line("d", "user", "answered with nothing"),
        line("d", "assistant", " "),
        line("e", "user", "stopped"),
    ]
    told = [(message.role, message.text) for message in messages("Be brief.", history, PROMPT)]
    assert told == [
        ("system", "Be brief."),
        ("assistant", "of a question that is forgotten"),  # the model's side leaves it out
        ("user", "Ada: answered"),
        ("assistant", "Yes."),
        ("user", "Ada: And now?"),
    ]


async def test_halves_of_pairs_are_remembered_as_replaced(tmp_path: Path) -> None:
    store = Store(f"sqlite+aiosqlite:///{(tmp_path / 'x.db').as_posix()}")
    await store.open()
    try:
        history = HistoryRepository(store)
        await history.add(
            1,
            HistoryEntry("a", "user", "hi \ud83e", NOW, 7, "A\udd56da"),
            HistoryEntry("a", "assistant", "\ud83e\udd56", NOW),
        )
        assert [(found.content, found.name) for found in await history.newest(1, 9)] == [
            ("hi \ufffd", "A\ufffdda"),
            ("\U0001f956", None),
        ]
    finally:
        await store.close()


class _Line:
    def __init__(self, heard_samples: int) -> None:
        self.heard_samples = heard_samples


@pytest.mark.parametrize(
    ("samples", "heard"), [(50, "One two"), (100, "One two three."), (140, "One two three."), (200, "One two three.")]
)
def test_the_note_behind_a_torn_reply_is_not_part_of_it(samples: int, heard: str) -> None:
    turn = Turn(PROMPT, None, Timings(0.0), note="It breaks off here.")  # type: ignore[arg-type] - nothing is written
    turn.heard = HeardText()
    for text in ("One two three.", " It breaks off here."):
        turn.heard.wrote(SpeechChunk(np.zeros(100, np.float32), 48000, text))
    turn.line = _Line(samples)  # type: ignore[assignment] - only how much was heard counts
    assert turn.heard_text == heard
