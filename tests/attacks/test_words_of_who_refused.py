"""What the bot says or plays for somebody who may not be recorded is not on its own track either."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.audio.frames import RATE_HZ
from tests.attacks.test_deleted_means_deleted import ANA, BO, Home, home, quick
from tests.core.recording.people import Channel, Speaker, tone
from tests.core.recording.test_service import wav

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.audio.frames import OpusFrame

__all__ = ["home", "quick"]  # fixtures
BOT = 734_512_889_100_999_999


def said_for(author: int, frames: Iterable[OpusFrame]) -> list[OpusFrame]:
    return [frame._replace(said_for=(author,) if author else ()) for frame in frames]


def loud(samples: np.ndarray, start_s: float, end_s: float) -> bool:
    return bool(np.abs(samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]).max() > 1000)


@pytest.mark.parametrize(
    ("consent", "decision", "kept"),
    [("announce", "out", False), ("announce", None, True), ("opt_in", None, False), ("opt_in", "in", True)],
)
async def test_what_is_read_aloud_for_somebody_follows_their_own_decision(
    home: Home, consent: str, decision: str | None, kept: bool
) -> None:
    service = await home.begin(consent=consent)
    await service.decide(ANA, decision)
    await service.decide(BO, "in")
    mouth = Channel()
    live = await home.talk(service, own_voice=(BOT, mouth))
    base = live.recorder.started_s
    voice = Speaker(BOT, ssrc=1, start_s=base, seed=5)
    mouth.send(said_for(0, voice.say(tone(1, hz=500), 1)))
    mouth.send(said_for(ANA, voice.say(tone(1, hz=600), 3)))
    mouth.send(said_for(BO, voice.say(tone(1, hz=700), 5)))
    home.clock.at_s = base + 9
    await home.written()
    await service.stop(1, "Enough.")
    found = await service.rendered(live.id)
    track = wav(live.folder / str(next(person for person in found.people if person.bot).track))
    assert loud(track, 1.2, 1.9)
    assert loud(track, 3.0, 4.2) is kept
    assert loud(track, 5.2, 5.9)
