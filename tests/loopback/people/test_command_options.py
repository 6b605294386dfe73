"""What the client lets a person send, and what not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from loopback.people.command_options import fill
from loopback.people.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping


class NoResolver:
    def resolve(self, option: Mapping[str, Any], value: object) -> tuple[str, dict[str, dict[str, Any]]]:
        return str(value), {"users": {str(value): {"id": str(value)}}}


def command(*options: dict[str, Any]) -> dict[str, Any]:
    return {"name": "say", "description": "d", "options": list(options)}


def send(options: list[dict[str, Any]], words: tuple[str, ...] = (), **given: object) -> list[dict[str, Any]]:
    return fill(command(*options), words, given, NoResolver()).options


TEXT = {"type": 3, "name": "text", "description": "d", "required": True}
COUNT = {"type": 4, "name": "count", "description": "d", "min_value": 1, "max_value": 5}


def test_options_go_out_with_name_type_and_value() -> None:
    assert send([TEXT, COUNT], text="hello", count=2) == [
        {"name": "text", "type": 3, "value": "hello"},
        {"name": "count", "type": 4, "value": 2},
    ]


def test_a_group_wraps_its_options() -> None:
    leaf = {"type": 1, "name": "set", "description": "d", "options": [TEXT]}
    group = {"type": 2, "name": "voice", "description": "d", "options": [leaf]}
    assert send([group], ("voice", "set"), text="x") == [
        {
            "name": "voice",
            "type": 2,
            "options": [{"name": "set", "type": 1, "options": [{"name": "text", "type": 3, "value": "x"}]}],
        }
    ]


def test_an_incomplete_or_unknown_path_is_refused_with_what_there_is() -> None:
    group = {"type": 2, "name": "voice", "description": "d", "options": [{"type": 1, "name": "set"}]}
    for words in ((), ("voice",), ("voice", "get"), ("music",)):
        with pytest.raises(Refused, match="voice set"):
            send([group], words)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "needs its option 'text'"),
        ({"text": "a", "colour": "red"}, "no option 'colour'"),
        ({"text": 3}, "takes text"),
        ({"text": "a", "count": 6}, "takes 1 to 5"),
        ({"text": "a", "count": 0}, "takes 1 to 5"),
        ({"text": "a", "count": 1.5}, "a whole number"),
        ({"text": "a", "count": True}, "a whole number"),
        ({"text": "a" * 6001}, "6000 characters"),
    ],
)
def test_what_the_client_would_not_send_is_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(Refused, match=says):
        send([TEXT, COUNT], **given)


def test_a_choice_is_picked_by_name_or_value_and_nothing_else_is_taken() -> None:
    option = {"type": 4, "name": "size", "description": "d", "choices": [{"name": "Large", "value": 3}]}
    assert send([option], size="Large")[0]["value"] == 3
    assert send([option], size=3)[0]["value"] == 3
    with pytest.raises(Refused, match="Large"):
        send([option], size=4)


def test_a_length_is_checked() -> None:
    with pytest.raises(Refused, match="2 to 4"):
        send([{**TEXT, "min_length": 2, "max_length": 4}], text="a")


def test_picked_things_bring_their_resolved_data() -> None:
    filled = fill(command({"type": 6, "name": "who"}), (), {"who": 7}, NoResolver())
    assert filled.options == [{"name": "who", "type": 6, "value": "7"}]
    assert filled.resolved == {"users": {"7": {"id": "7"}}}


def test_autocomplete_sends_the_raw_text_and_needs_nothing_else() -> None:
    option = {**COUNT, "autocomplete": True}
    filled = fill(command(TEXT, option), (), {"count": "no number"}, NoResolver(), focused="count")
    assert filled.options == [{"name": "count", "type": 4, "value": "no number", "focused": True}]
    with pytest.raises(Refused, match="no autocomplete"):
        fill(command(TEXT), (), {"text": "a"}, NoResolver(), focused="text")
