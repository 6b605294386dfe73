"""`[music]`: what is played beside the voice."""

from __future__ import annotations

from pydantic import Field

from core.config.section import Section
from core.config.ytdlp import YtDlpSection


class MusicSection(Section):
    """The queue of `/music`, how it sounds, and who may do what."""

    folder: str = Field(default="data/music", min_length=1, description="Where uploads wait until they were played.")
    max_tracks: int = Field(default=50, ge=1, le=1000, description="Tracks that a queue holds.")
    max_tracks_person: int = Field(default=25, ge=1, le=1000, description="Tracks of one person in it.")
    max_waiting_mb: float = Field(default=200, gt=0, le=10000, description="What a queue may keep on disk.")
    max_length_s: float = Field(default=14400, gt=0, le=360000, description="Longest file that is played, in seconds.")
    even_loudness: bool = Field(default=True, description="Play every track as loud as the others.")
    loudness_lufs: float = Field(default=-18, ge=-40, le=-8, description="How loud that is, by EBU R128.")
    crossfade_s: float = Field(default=0, ge=0, le=12, description="Fade from one track into the next; 0 is gapless.")
    volume: float = Field(default=1.0, ge=0, le=2, description="How loud music begins, beside the voice.")
    duck_for_people: bool = Field(
        default=True, description="Music gives way to people who speak, where the bot listens to them."
    )
    pause_when_alone: bool = Field(default=True, description="Pause while nobody is there to hear it.")
    resume_queue: bool = Field(default=True, description="Go on with the queue after a restart.")
    card: bool = Field(default=True, description="Show what plays in the prompt channel, with buttons.")
    skip_votes: float = Field(
        default=0.5, gt=0, le=1, description="Share of the listeners whose votes skip a track, where a DJ role is set."
    )
    dj_role: str = Field(
        default="",
        max_length=100,
        description="Name or id of the role that rules over the queue; empty: whoever listens.",
    )
    ytdlp: YtDlpSection = YtDlpSection()
