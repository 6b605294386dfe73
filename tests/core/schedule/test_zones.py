"""Time zones by their names."""

from __future__ import annotations

import pytest

from core.config import load
from core.errors import ConfigError, ScheduleError
from core.schedule.zones import matching, zone_named


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("america/new york", "America/New_York"),
        ("Berlin", "Europe/Berlin"),
        ("utc", "UTC"),
    ],
)
def test_a_zone_is_found_however_it_is_written(given, name):
    assert zone_named(given).key == name


@pytest.mark.parametrize(
    "given", ["../../etc/passwd", "/etc/localtime", "", "Mars/Olympus", "Europe", "\x00", "a" * 5000]
)
def test_what_is_no_zone_is_refused_with_two_that_are(given):
    with pytest.raises(ScheduleError, match=r"There is no time zone .* `Europe/Berlin` or `America/New_York`"):
        zone_named(given)


def test_a_mistyped_zone_is_guessed():
    with pytest.raises(ScheduleError, match="Did you mean `Europe/Berlin`"):
        zone_named("Europe/Berln")


def test_cities_that_begin_with_what_was_typed_come_first():
    assert matching("ber", 3)[0] in ("Europe/Berlin", "Atlantic/Bermuda")
    assert matching("zzz", 3) == []


@pytest.mark.parametrize("zone", ["Mars/Phobos", "../etc/passwd", "Europe", "europe-berlin"])
def test_a_zone_that_is_none_is_refused_at_the_start(tmp_path, zone):
    file = tmp_path / "config.toml"
    file.write_text(f'[schedule]\nzone = "{zone}"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"\[schedule\] zone"):
        load(file)
