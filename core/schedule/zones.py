"""Time zones by their names: which there are, and what a mistyped one may have meant."""

from __future__ import annotations

import difflib
import zoneinfo
from functools import cache
from typing import TYPE_CHECKING

from core.errors import ScheduleError
from core.names import shown

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

USUAL = "UTC"
UNKNOWN = "There is no time zone “{given}”. {hint} Write one like `Europe/Berlin` or `America/New_York`."
MEANT = "Did you mean {names}?"
_HIDDEN = ("posix/", "right/", "SystemV/", "Etc/", "localtime", "posixrules", "Factory")


@cache
def names() -> tuple[str, ...]:
    """Every zone there is, in order; reads the disk the first time."""
    found = {each for each in zoneinfo.available_timezones() if not each.startswith(_HIDDEN)}
    return tuple(sorted(found | {USUAL}))


@cache
def _by_folded() -> dict[str, str]:
    return {each.casefold(): each for each in names()}


def zone_named(name: str) -> ZoneInfo:
    """A zone by its name; capitals do not matter, and a blank may stand for the line below. Reads the disk.

    Raises:
        ScheduleError: There is none, with what may have been meant.
    """
    wanted = name.strip()[:60].replace(" ", "_").casefold()
    found = _by_folded().get(wanted) or _only_city(wanted)
    if found is None:
        near = _near(wanted)
        hint = MEANT.format(names=" or ".join(f"`{each}`" for each in near)) if near else ""
        raise ScheduleError(" ".join(UNKNOWN.format(given=shown(name, 60), hint=hint).split()))
    return zoneinfo.ZoneInfo(found)


def matching(partial: str, most: int) -> list[str]:
    """Zones whose name contains `partial`; those that begin with it, or whose city does, come first."""
    wanted = partial.strip().replace(" ", "_").casefold()
    found = [each for each in names() if wanted in each.casefold()]
    return sorted(found, key=lambda each: not _begins(each, wanted))[:most]


def _begins(name: str, wanted: str) -> bool:
    return name.casefold().startswith(wanted) or name.rpartition("/")[2].casefold().startswith(wanted)


def _only_city(wanted: str) -> str | None:
    """“Berlin” alone, if there is one."""
    found = [each for each in names() if each.rpartition("/")[2].casefold() == wanted]
    return found[0] if len(found) == 1 else None


def _near(wanted: str) -> list[str]:
    cities = {each.rpartition("/")[2].casefold(): each for each in names()}
    close = difflib.get_close_matches(wanted.rpartition("/")[2], list(cities), 2)
    return [cities[each] for each in close]
