"""`[recording]`: what is recorded, how, and for how long."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.config.section import Section, Snowflake

ConsentMode = Literal["announce", "opt_in", "opt_out"]
TrackFormat = Literal["wav", "flac", "ogg", "mp3"]


class RecordingSection(Section):
    """How recordings are made."""

    folder: str = Field(default="data/recordings", min_length=1, description="Where recordings are kept.")
    consent: ConsentMode = Field(
        default="announce",
        description="announce: everyone is recorded, as the announcement says; opt_out: the same, and everyone is "
        "asked by name whether they mind; opt_in: only who agreed is recorded. A refusal always holds.",
    )
    roles: list[Snowflake] = Field(
        default_factory=list[int], description="Roles that may record and see recordings, beside Manage Channels."
    )
    auto_channels: list[Snowflake] = Field(
        default_factory=list[int], description="Voice channels that are joined and recorded by themselves."
    )
    auto_min_members: int = Field(default=2, ge=1, description="People it takes for that; bots do not count.")
    auto_stop_s: float = Field(default=60, ge=0, description="How long fewer people than that are waited for.")
    format: TrackFormat = Field(default="wav", description="Of the finished tracks and the mix.")
    rate_hz: Literal[8000, 12000, 16000, 24000, 48000] = Field(default=48000, description="Of the finished files.")
    channels: Literal[1, 2] = Field(default=2, description="1 is mono.")
    bitrate_kbps: int = Field(default=128, ge=16, le=320, description="Of Ogg and MP3 files.")
    own_voice: bool = Field(default=True, description="Also record what the bot says and plays, on its own track.")
    mix: bool = Field(default=True, description="Also write everybody together, as session.wav.")
    utterance_silence_s: float = Field(default=2.0, ge=0.1, le=60, description="Silence that ends an utterance.")
    silence_dbfs: float = Field(default=-50.0, ge=-90, le=-10, description="What is quieter than this is silence.")
    segment_files: bool = Field(default=False, description="Also write every utterance to a file of its own.")
    render_every_s: float = Field(
        default=30, ge=1, le=3600, description="How often finished files are brought up to date while recording."
    )
    max_length_s: float = Field(default=12 * 3600, ge=0, description="A recording ends after this; 0 never.")
    max_size_mb: float = Field(default=0, ge=0, description="It ends at this many MB of packets as well; 0 never.")
    min_free_mb: float = Field(default=500, ge=0, description="It ends when the disk has less than this left.")
    retention_days: float = Field(default=0, ge=0, description="Recordings older than this are deleted; 0 keeps them.")
