"""`[trainer]`: which answers people may judge, how long they are kept for that, and what may be trained and tested with them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.config.section import Section, Snowflake


class TrainerSection(Section):
    """What is kept of answers so that people can correct them. Without a server or a channel, nothing is."""

    servers: list[Snowflake] = Field(
        default_factory=list[int], description="Servers whose answers are kept to be judged. None: nothing is kept."
    )
    channels: list[Snowflake] = Field(
        default_factory=list[int],
        description="Channels whose answers are kept, and carry 👍 and 👎, on whatever server they are.",
    )
    judge_with: Literal["buttons", "reactions"] = Field(
        default="buttons", description="What the bot puts under its answers in these channels."
    )
    roles: list[Snowflake] = Field(
        default_factory=list[int], description="Roles that may manage data sets, beside Manage Server."
    )
    keep_answers_days: float = Field(
        default=30,
        gt=0,
        le=365,
        description="Answers that nobody judged are forgotten after this; so are judged ones whose people have not agreed.",
    )
    max_examples: int = Field(default=20_000, ge=1, le=1_000_000, description="Examples that a server may keep in all.")
    max_import_mb: float = Field(default=8, gt=0, le=100, description="Of a file to import.")
    max_example_tokens: int = Field(
        default=8000, ge=100, description="Longer examples are left out of what is handed out."
    )
    test_share: float = Field(
        default=0.1, ge=0, le=0.5, description="Of the conversations that are held out of training, to test with."
    )
    seed: int = Field(default=1, description="Another number splits other conversations off.")
    fine_tune_route: str = Field(
        default="",
        description="Model route whose provider trains, with its key and at its cost. Empty: nothing is ever sent to one.",
    )
    base_model: str = Field(default="", description="What /trainer train trains if nothing is named.")
    poll_s: float = Field(default=20, ge=0.05, le=3600, description="How often a provider is asked how a job is.")
    test_concurrency: int = Field(default=2, ge=1, le=32, description="Answers that a test asks for at once.")
    test_examples: int = Field(default=50, ge=1, le=1000, description="Held-out examples that a test asks at most.")
    judge_route: str = Field(
        default="", description="Model route that compares answers in a test; empty takes the current one."
    )
