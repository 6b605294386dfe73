from __future__ import annotations

import pytest

from core.config.recording import RecordingSection
from core.errors import RecordingError
from core.recording.auto_rules import AutoRules
from core.recording.rights import RecordingConsent, may_record, require_right


@pytest.mark.parametrize(
    ("mode", "decision", "allowed"),
    [
        ("announce", None, True),
        ("announce", "in", True),
        ("announce", "out", False),
        ("opt_out", None, True),
        ("opt_out", "out", False),
        ("opt_in", None, False),
        ("opt_in", "in", True),
        ("opt_in", "out", False),
    ],
)
def test_a_refusal_holds_in_every_mode_and_opt_in_needs_a_yes(mode, decision, allowed) -> None:
    assert RecordingConsent(mode, {1: decision} if decision else {}).allows(1) is allowed
    consent = RecordingConsent(mode)
    consent.decide(1, decision)
    assert consent.allows(1) is allowed
    assert consent.decision(1) == decision


def test_a_decision_can_be_taken_back() -> None:
    consent = RecordingConsent("announce", {1: "out"})
    consent.decide(1, None)
    assert consent.allows(1)
    assert consent.decision(1) is None


def auto() -> AutoRules:
    return AutoRules(RecordingSection(auto_channels=[5], auto_min_members=2, auto_stop_s=60))


def test_a_monitored_channel_starts_with_enough_people_and_stops_after_too_few_for_long() -> None:
    rules = auto()
    assert rules.channels == {5}
    assert rules.decide(6, 10, False, 0) == "keep"
    assert rules.decide(5, 1, False, 0) == "keep"
    assert rules.decide(5, 2, False, 1) == "start"
    assert rules.decide(5, 3, True, 2) == "keep"
    assert rules.decide(5, 1, True, 10) == "keep"
    assert rules.decide(5, 2, True, 30) == "keep"
    assert rules.decide(5, 1, True, 40) == "keep"
    assert rules.decide(5, 1, True, 99) == "keep"
    assert rules.decide(5, 1, True, 100) == "stop"


def test_an_empty_channel_stops_at_once() -> None:
    rules = auto()
    assert rules.decide(5, 0, True, 0) == "stop"


def test_what_people_stopped_is_not_begun_again_before_they_went() -> None:
    rules = auto()
    rules.declined(5, 3)
    assert rules.decide(5, 3, False, 0) == "keep"
    assert rules.decide(5, 4, False, 0) == "keep"
    assert rules.decide(5, 1, False, 1) == "keep"
    assert rules.decide(5, 2, False, 2) == "start"


def test_what_is_stopped_with_too_few_people_there_begins_with_the_next_who_come() -> None:
    rules = auto()
    rules.declined(5, 1)
    assert rules.decide(5, 2, False, 0) == "start"


def test_the_right_to_record_is_a_roles_or_comes_with_channels() -> None:
    section = RecordingSection(roles=[7])
    assert may_record(section, [7, 8], False)
    assert may_record(section, [], True)
    assert not may_record(section, [8], False)
    with pytest.raises(RecordingError, match=r"<@&7> or the permission “Manage Channels”"):
        require_right(section, [8], False)
