"""What all sections of the configuration have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Snowflake = Annotated[int, Field(ge=1, lt=2**63)]  # an id of Discord's


class Section(BaseModel):
    """A table of `config.toml`: unknown keys are refused, values are checked and then stay as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
