"""What all sections of the configuration have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field

from core.redaction import redacted, shown_values

if TYPE_CHECKING:
    from collections.abc import Iterable

VARIABLE = r"^([A-Za-z_][A-Za-z0-9_]*)?$"  # the name of a variable of the environment, never a key itself
PLAIN_TABLES = ("header_env",)  # names only

Variable = Annotated[str, Field(pattern=VARIABLE)]
Snowflake = Annotated[int, Field(ge=1, lt=2**63)]  # an id of Discord's


class Section(BaseModel):
    """A table of `config.toml`: unknown keys are refused, values are checked and then stay as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """The values for `repr`, without credentials of addresses; headers and bodies by their keys alone."""
        for name, value in super().__repr_args__():
            if isinstance(value, str):
                yield name, redacted(value)
            elif isinstance(value, dict) and name not in PLAIN_TABLES:
                table = cast("dict[str, Any]", value)
                yield name, table if any(isinstance(each, Section) for each in table.values()) else shown_values(table)
            else:
                yield name, value
