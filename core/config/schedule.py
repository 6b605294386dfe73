"""`[schedule]`: what is done at a time, or again and again."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from core.config.section import Section


class ScheduleSection(Section):
    """When it may be done, how often, and what becomes of it when it is late."""

    zone: str = Field(
        default="UTC", pattern=r"^[A-Za-z0-9_+/-]{1,60}$", description="Time zone of servers that chose none."
    )
    per_server: int = Field(default=100, ge=0, le=1000, description="Schedules that one server may have.")
    shortest_min: float = Field(
        default=5, ge=1, le=1440, description="What repeats comes at most this often, in minutes."
    )
    late: Literal["skip", "once"] = Field(
        default="skip",
        description="What becomes of a time that was missed by more than a minute, if its schedule does not say: it is "
        "skipped, or made up once.",
    )
    grace_min: int = Field(
        default=720, ge=1, le=43_200, description="How late it may be made up, if its schedule does not say."
    )
    at_once: int = Field(default=8, ge=1, le=64, description="How many are done at a time; others wait in line.")
    deadline_s: float = Field(default=120, ge=5, le=3600, description="One that takes longer is given up, and told.")
    keep_over_days: int = Field(
        default=7, ge=0, le=365, description="One that is over stays in the list so long, with how it went."
    )
    pictures: str = Field(
        default="data/schedule", min_length=1, description="Private folder of the pictures that are to be posted."
    )
    picture_mb: float = Field(default=8, gt=0, le=25, description="Larger pictures are refused.")
    server_mb: float = Field(default=100, gt=0, le=10_000, description="All pictures of one server together.")

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        if value == "UTC":  # is one also where no others are installed
            return value
        try:
            return ZoneInfo(value).key
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("there is no such time zone; allowed are those like Europe/Berlin and UTC") from error
