"""The demo's recording: two people talk, the bot records each, and their tracks are held against what ears heard."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import time
import wave
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from core.audio.frames import FRAME_S, RATE_HZ
from core.audio.opus import LOOKAHEAD_SAMPLES
from launch.listening import spurts
from launch.story import StoryError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from launch.story import Stage
    from loopback.people.ears import HeardFrame
    from loopback.people.person import Person

REACH_S = 0.3  # how far from its place a person's speech is looked for
FINISHED_S = 20.0
FOLDER = "recordings"
WORDS = (
    ("Ada", "We have seven apples and three oranges on the table."),
    ("Bob", "Then I will make the tea."),
)


async def talk(ada: Person, bob: Person, sounds: Sequence[bytes]) -> None:
    """Both speak, one after the other and a little at once, as people do.

    Args:
        ada: Speaks first.
        bob: Speaks then.
        sounds: `WORDS`, synthesised.
    """
    ada_says, bob_says = sounds

    async def interrupt() -> None:
        await asyncio.sleep(2.5)
        await bob.play(bob_says)

    await asyncio.gather(ada.play(ada_says), interrupt())


async def finished(scene: Stage) -> Path:
    """The recording's folder, once its files are complete."""
    try:
        async with asyncio.timeout(FINISHED_S):
            while (folder := await asyncio.to_thread(_complete, scene.folder / FOLDER)) is None:  # noqa: ASYNC110 - files tell no event
                await asyncio.sleep(0.1)
            return folder
    except TimeoutError:
        raise StoryError(f"the recording was not finished within {FINISHED_S:.0f} s") from None


def _complete(root: Path) -> Path | None:
    for file in root.glob("*/*/*/metadata.json"):
        if json.loads(file.read_bytes())["state"] == "finished":
            return file.parent
    return None


def keep(folder: Path, out: Path) -> list[str]:
    """Copy the recording to where the demo leaves its files; returns their names."""
    target = out / "recording"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target)
    return sorted(path.name for path in target.iterdir())


def tracks(folder: Path, listeners: dict[int, Person]) -> list[dict[str, Any]]:
    """What is on each track, and how far it is from where somebody else's ears heard it.

    Args:
        folder: The finished recording.
        listeners: For each recorded user id, somebody else who heard them.
    """
    metadata = json.loads((folder / "metadata.json").read_bytes())
    behind_s = time.time() - time.monotonic()
    began_s = datetime.fromisoformat(metadata["started_at"]).timestamp() - behind_s
    measured: list[dict[str, Any]] = []
    for person in metadata["people"]:
        if person["bot"]:
            continue  # what it says is measured where it is heard
        samples = _read(folder / person["track"])
        frames = listeners[int(person["id"])].ears.heard(int(person["id"]))
        voiced = samples[np.abs(samples).max(axis=1) > 33]  # above -60 dBFS
        packets = person["packets"]
        measured.append(
            {
                "name": person["name"],
                "file": person["track"],
                "duration_s": round(len(samples) / RATE_HZ, 2),
                "rms_dbfs": round(_level_dbfs(voiced), 1),
                "offset_error_ms": _offset_error_ms(samples, frames, began_s),
                "received": packets["received"],
                "lost": packets["lost"],
                "concealed": packets["concealed"],
            }
        )
    return measured


def _offset_error_ms(track: NDArray[np.int16], frames: Sequence[HeardFrame], began_s: float) -> float | None:
    """The first thing that was heard of somebody, looked for on their track: how late (or early) it lies there."""
    first = spurts(frames)[0]
    heard = [frame for frame in frames if first.first_s <= frame.arrival_s <= first.first_s + first.duration_s]
    sound = np.concatenate([np.frombuffer(frame.pcm, "<i2").reshape(-1, 2) for frame in heard]).astype(np.float64)
    # The middle of all frames: discord.py sends the first frame of a spurt a frame's length ahead of the others.
    place_s = median(frame.arrival_s - index * FRAME_S for index, frame in enumerate(heard))
    place = round((place_s - began_s) * RATE_HZ) - LOOKAHEAD_SAMPLES  # ears hear so late; tracks make up for it
    reach = round(REACH_S * RATE_HZ)
    begin = max(0, place - reach)
    stretch = track[begin : place + reach + len(sound)].astype(np.float64).mean(axis=1)
    known = sound.mean(axis=1)
    if len(stretch) < len(known) or not known.any():
        return None
    size = 1 << (len(stretch) + len(known)).bit_length()
    likeness = np.fft.irfft(np.fft.rfft(stretch, size) * np.conj(np.fft.rfft(known, size)), size)
    found = begin + int(np.argmax(likeness[: len(stretch) - len(known) + 1]))
    return round((found - place) / RATE_HZ * 1000, 1)


def _read(file: Path) -> NDArray[np.int16]:
    with wave.open(str(file)) as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2").reshape(-1, sound.getnchannels())


def _level_dbfs(samples: NDArray[np.int16]) -> float:
    power = float(np.mean(np.square(samples.astype(np.float64)))) if len(samples) else 0.0
    return 10 * math.log10(power / 32768**2) if power else -120.0
