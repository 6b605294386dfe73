"""`[prompt]`: which messages are answered, and as whom."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.config.section import Section, Snowflake


class PromptSection(Section):
    """How messages become prompts."""

    persona: str = Field(
        default="You are Parley, a friendly voice in a Discord call. Answer in one to three short spoken sentences, "
        "without lists, markdown or emoji.",
        description="Standing instruction for the model.",
    )
    name: str = Field(default="Parley", min_length=1, max_length=32, description="What the persona calls itself.")
    channels: list[Snowflake] = Field(
        default_factory=list[int], description="Text channels always listened to, with their threads; forums too."
    )
    mentions: bool = Field(default=True, description="Answer where the bot is mentioned or replied to.")
    direct_messages: bool = True
    gather_idle_s: float = Field(default=2.0, ge=0, description="Wait this long for more messages of a burst.")
    gather_max_s: float = Field(default=8.0, ge=0, description="Never wait longer than this in all.")
    history_messages: int = Field(default=20, ge=0, le=500)
    queue_limit: int = Field(
        default=8,
        ge=1,
        description="Prompts that may wait in one session; when reading aloud, messages that may wait before read_backlog sets in.",
    )
    acknowledge: str = Field(default="👂", description="Reaction on a prompt that was taken up; empty for none.")
    read_names: bool = Field(default=True, description="Reading aloud: say who wrote it.")
    read_backlog: Literal["all", "newest", "faster"] = Field(
        default="all",
        description="Reading aloud: when more than queue_limit messages wait, read all, skip to the newest, or speak faster.",
    )
    same_speaker_s: float = Field(
        default=60, ge=0, description="Reading aloud: the same person's name is not said again within."
    )
    allow_roles: list[Snowflake] = Field(
        default_factory=list[int], description="If any, only these roles are answered."
    )
    block_users: list[Snowflake] = Field(default_factory=list[int])
