"""`[voice]`: joining, leaving and playing."""

from __future__ import annotations

from pydantic import Field

from core.config.section import Section, Snowflake


class VoiceSection(Section):
    """How voice sessions behave."""

    max_sessions: int = Field(
        default=1, ge=1, le=100, description="Sessions this process may hold at once; one a guild always."
    )
    auto_join: list[Snowflake] = Field(default_factory=list[int], description="Voice channels to join on start.")
    leave_when_alone_s: float = Field(default=60, ge=0, description="Leave when nobody is left for this long; 0 stays.")
    connect_timeout_s: float = Field(default=20, gt=0, le=120)
    volume: float = Field(default=1.0, ge=0, le=2, description="1 is as the engine gives it.")
    sounds: str = Field(default="data/sounds", min_length=1, description="Folder whose files /voice play offers.")
    upload_limit_mb: float = Field(default=25, gt=0, le=500, description="Largest file that /voice play takes.")
    play_limit_s: float = Field(
        default=0,
        ge=0,
        description="Older name of [music] max_length_s, which holds instead if it is set; 0 is not set.",
    )
    speaking_silence_ms: int = Field(
        default=300, ge=60, le=5000, description="Silence after which somebody no longer speaks."
    )
    show_status: bool = Field(default=True, description="Show on the bot's status line what it is doing.")
