"""`[persona.profiles]`, `[persona.joining_in]` and `[persona.temperature]`: what the bot makes of people's messages."""

from __future__ import annotations

from pydantic import Field, model_validator

from core.config.section import Section


class ProfilesSection(Section):
    """`[persona.profiles]`: what the bot thinks of those who let themselves be observed."""

    enabled: bool = Field(default=True, description="Whether profiles are made at all.")
    every: int = Field(
        default=20,
        ge=5,
        le=1000,
        description="A profile is made anew after this many messages of a person, not earlier.",
    )
    messages: int = Field(default=30, ge=5, le=100, description="Newest messages of a person that it is made from.")
    max_tokens: int = Field(default=400, ge=100, le=4000, description="Length of the model's answer.")


class JoiningInSection(Section):
    """`[persona.joining_in]`: the bot says something in channels where it reads along."""

    every: int = Field(
        default=5, ge=0, le=1000, description="After this many messages of people who are observed; 0 is never."
    )
    min_interval_s: float = Field(default=60, ge=0, description="In one channel not more often than this.")
    ask_first: bool = Field(
        default=False, description="First ask the model whether there is anything to add, which costs a few tokens."
    )
    max_tokens: int = Field(default=200, ge=20, le=4000, description="Length of what it says.")
    max_in_row: int = Field(default=2, ge=1, le=20, description="Times without a word of anybody's in between.")


class TemperatureSection(Section):
    """`[persona.temperature]`: how freely people may have themselves answered."""

    least: float = Field(default=0.0, ge=0, le=2)
    most: float = Field(default=1.4, ge=0, le=2)
    usual: float = Field(
        default=0.8, ge=0, le=2, description="Where “more creative” starts, if neither person nor route has one."
    )
    step: float = Field(default=0.2, gt=0, le=1, description="How far “more creative” goes.")

    @model_validator(mode="after")
    def _in_order(self) -> TemperatureSection:
        if not self.least <= self.usual <= self.most:
            raise ValueError(
                f"usual ({self.usual:g}) has to lie between least ({self.least:g}) and most ({self.most:g})"
            )
        return self
