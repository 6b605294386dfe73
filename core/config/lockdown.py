"""`[lockdown]`: what gives way during a voice session."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from core.config.section import Section, Variable

URL = r"^(https?://\S+)?$"


class HookSection(Section):
    """`[[lockdown.hooks]]`: a request sent when a session locks, and another when it unlocks.

    A model server is told to free its memory this way. Values of secret headers come from the environment.
    """

    name: str = Field(min_length=1, max_length=64, description="What status and log call it.")
    lock_url: str = Field(default="", pattern=URL, description="Asked when a session starts; empty asks nothing.")
    unlock_url: str = Field(default="", pattern=URL, description="Asked when the last session is over.")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    lock_body: dict[str, Any] | None = Field(default=None, description="Sent as JSON; nothing is sent without it.")
    unlock_body: dict[str, Any] | None = Field(default=None, description="Sent as JSON; nothing is sent without it.")
    headers: dict[str, str] = Field(default_factory=dict[str, str])
    header_env: dict[str, Variable] = Field(
        default_factory=dict[str, Variable], description="Header to the environment variable that holds its value."
    )
    timeout_s: float = Field(default=5, gt=0, le=60)
    required: bool = Field(default=False, description="Whether a session is refused when the request fails.")

    @model_validator(mode="after")
    def _asks_something(self) -> HookSection:
        if not self.lock_url and not self.unlock_url:
            raise ValueError(f"hook {self.name!r} needs a lock_url, an unlock_url or both")
        return self


class LockdownSection(Section):
    """What a voice session switches and locks."""

    route: str = Field(
        default="", description="Model route used while a session runs (a name under [model.routes]); empty keeps it."
    )
    callback_timeout_s: float = Field(default=5, gt=0, le=60, description="How long a feature may take to pause.")
    retry_first_s: float = Field(default=2, gt=0, description="Wait before a failed undo is tried again; doubles.")
    retry_max_s: float = Field(default=300, gt=0, description="Longest wait between two tries.")
    queue_limit: int = Field(default=100, ge=1, le=10000, description="Messages kept for after the session.")
    queue_reaction: str = Field(default="⏳", description="Reaction on a message that waits; empty for none.")
    replay_interval_s: float = Field(default=1.5, ge=0, description="Pause between two answers after the session.")
    memory_warning: float = Field(
        default=0.92, gt=0, le=1, description="Share of GPU or system memory past which the prompt channel is warned."
    )
    memory_check_s: float = Field(default=15, gt=0, description="How often memory is looked at during a session.")
    hooks: list[HookSection] = Field(default_factory=list[HookSection])

    @model_validator(mode="after")
    def _names_differ(self) -> LockdownSection:
        names = [hook.name for hook in self.hooks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"has several hooks of the name {', '.join(twice)}")
        return self
