"""One entry of a queue: what it is called, who asked for it, and how it is opened."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    Blocks = Generator[NDArray[np.float32], None, None]


class Source(Protocol):
    """Where the sound of a track comes from."""

    @property
    def endless(self) -> bool:
        """Whether it has no end and no places to go to, as internet radio."""
        ...

    @property
    def size(self) -> int:
        """Bytes that it keeps on disk for this track alone."""
        ...

    def blocks(self, start_s: float) -> Blocks:
        """Sound from `start_s` on: 48 kHz stereo float32, shape (n, 2), about half a second each.

        Runs on a thread of its own and may wait there.

        Raises:
            AudioError: It cannot be opened or decoded; what was given before is good.
        """
        ...

    def release(self) -> None:
        """Nobody plays it any more: delete what is kept for it. May wait for the disk."""
        ...


class FileSource:
    """A sound file on disk, the host's or one that was brought here to be played."""

    endless = False

    def __init__(self, path: Path, *, max_bytes: int, max_s: float, kept_bytes: int = 0) -> None:
        """Nothing is opened.

        Args:
            path: The file.
            max_bytes: A larger one is refused.
            max_s: A longer one is refused.
            kept_bytes: Its size, if it is deleted once nobody plays it; 0 leaves it where it is.
        """
        self.path = path
        self.size = kept_bytes
        self._max_bytes = max_bytes
        self._max_s = max_s

    def blocks(self, start_s: float) -> Blocks:
        """The file's sound; see `Source.blocks`."""
        from core.audio.decode import blocks

        return blocks(self.path, max_bytes=self._max_bytes, max_s=self._max_s, start_s=start_s)

    def release(self) -> None:
        """Delete the file if it was kept for this alone."""
        if self.size:
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class TrackFacts:
    """What a look through a file told. Texts are untrusted."""

    length_s: float | None = None
    title: str = ""
    artist: str = ""
    loudness_lufs: float | None = None  # integrated, EBU R128; None: too short or too quiet to tell
    true_peak_db: float | None = None
    picture: bytes | None = field(default=None, repr=False)  # a small JPEG made by us


@dataclass(slots=True, eq=False)
class Track:
    """One entry of a queue.

    Attributes:
        title: What it is called by whoever brought it; untrusted text.
        by: Id of who asked for it; 0 is nobody.
        source: Its sound.
        what: What would bring it again if somebody asked for it anew; empty if nothing would.
        facts: What is known of it so far.
        start_s: Where it begins when its turn comes.
    """

    title: str
    by: int
    source: Source
    what: str = ""
    facts: TrackFacts = TrackFacts()
    start_s: float = 0.0
    id: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def name(self) -> str:
        """What to call it, from its tags where they say; untrusted text."""
        return self.facts.title or self.title
