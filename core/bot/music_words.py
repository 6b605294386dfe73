"""What people read about music. Titles are strangers' text and are shown as such."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.audio.decode import clock
from core.names import plain, shown

if TYPE_CHECKING:
    from core.music.deck import Deck
    from core.music.track import Track

PAGE = 15  # tracks on a page of the queue
BAR = 18
NOTHING = "Nothing is playing."
LOOPS = {"off": "", "track": "🔂", "queue": "🔁"}
LIVE = "live"


def called(track: Track) -> str:
    """A track's name and artist, as a message may show them."""
    name = shown(track.name, 100) or "a track"
    artist = shown(track.facts.artist, 60)
    return f"**{name}**" + (f" by {artist}" if artist else "")


def choice(track: Track, number: int) -> str:
    """A track as a choice of a command."""
    return plain(f"{number}. {track.name}", 100)


def length(track: Track) -> str:
    """How long a track is, as far as is known."""
    if track.source.endless:
        return LIVE
    return "" if track.facts.length_s is None else clock(track.facts.length_s)


def bar(deck: Deck) -> str:
    """Where in the track people are."""
    track = deck.now
    if track is None:
        return ""
    mark = "⏸️" if deck.paused else "▶️"
    at_s, length_s = deck.position_s, track.facts.length_s
    if track.source.endless or not length_s:
        return f"{mark} {clock(at_s)}" + (f" · {LIVE}" if track.source.endless else "")
    at = min(BAR - 1, int(BAR * at_s / length_s))
    return f"{mark} {'▬' * at}🔘{'▬' * (BAR - 1 - at)} {clock(at_s)} / {clock(length_s)}"


def queue_page(deck: Deck, page: int) -> str:
    """A page of the queue, what plays first."""
    tracks = deck.tracks
    if not tracks:
        return NOTHING
    pages = max(1, -(-(len(tracks) - 1) // PAGE))
    page = min(max(1, page), pages)
    lines = [f"{bar(deck)}\n{called(tracks[0])}{_by(tracks[0])}"]
    for number, track in enumerate(tracks[1:], 2):
        if (number - 2) // PAGE == page - 1:
            lines.append(f"{number}\\. {called(track)} {length(track)}{_by(track)}".rstrip())
    known = [track.facts.length_s for track in tracks[1:] if track.facts.length_s]
    tail = [f"{len(tracks) - 1} waiting"] if len(tracks) > 1 else []
    tail += [f"{clock(sum(known))} at least"] if known else []
    tail += [f"page {page} of {pages}"] if pages > 1 else []
    tail += [f"loop: {deck.queue.loop} {LOOPS[deck.queue.loop]}"] if deck.queue.loop != "off" else []
    return "\n".join([*lines, *([" · ".join(tail)] if tail else [])])


def _by(track: Track) -> str:
    return f" (<@{track.by}>)" if track.by else ""
