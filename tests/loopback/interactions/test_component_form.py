"""What Discord refuses in the components of messages and modals."""

from __future__ import annotations

from typing import Any

import pytest

from loopback.errors import FormErrors
from loopback.interactions.component_form import check_components, check_modal_components


def button(custom_id: str = "a", **fields: Any) -> dict[str, Any]:
    return {"type": 2, "style": 1, "label": "A", "custom_id": custom_id, **fields}


def row(*components: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": list(components)}


def select(*values: str, **fields: Any) -> dict[str, Any]:
    return {"type": 3, "custom_id": "s", "options": [{"label": value, "value": value} for value in values], **fields}


def refused(*components: Any, v2: bool = False) -> dict[str, Any]:
    errors = FormErrors()
    check_components(components, errors, (), v2=v2)
    return errors.tree


@pytest.mark.parametrize(
    "component",
    [
        row(*(button(str(n)) for n in range(5))),
        row(select("a", "b")),
        row({"type": 2, "style": 5, "label": "Open", "url": "https://example.com"}),
        row({"type": 2, "style": 2, "emoji": {"name": "⏹"}, "custom_id": "stop"}),
        row({"type": 5, "custom_id": "users"}),
    ],
)
def test_right_components_are_taken(component: dict[str, Any]) -> None:
    assert refused(component) == {}


@pytest.mark.parametrize(
    "components",
    [
        [button()],
        [row()],
        [row(*(button(str(n)) for n in range(6)))],
        [row(button(), select("a"))],
        [row(button("a")), row(button("a"))],
        [row(button(str(n))) for n in range(6)],
        [row(button(label=""))],
        [row(button(label="a" * 81))],
        [row(button(custom_id=""))],
        [row(button(custom_id="a" * 101))],
        [row(button(style=9))],
        [row({"type": 2, "style": 5, "label": "Open"})],
        [row(select())],
        [row(select(*map(str, range(26))))],
        [row(select("a", "a"))],
        [row(select("a", placeholder="a" * 151))],
        [row(select("a", max_values=26))],
        ["no object"],
    ],
)
def test_wrong_components_are_refused(components: list[Any]) -> None:
    assert refused(*components)


def test_an_error_is_noted_at_its_field() -> None:
    assert refused(row(button(), button("b", label="a" * 81))) == {
        "0": {
            "components": {
                "1": {
                    "label": {
                        "_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 80 or fewer in length."}]
                    }
                }
            }
        }
    }


def test_text_stands_at_the_top_only_in_the_new_layout() -> None:
    text = {"type": 10, "content": "hello"}
    assert refused(text)
    assert refused(text, v2=True) == {}
    assert refused(*[text] * 41, v2=True)


def test_modals_take_labels_and_inputs() -> None:
    field = {"type": 4, "custom_id": "name", "style": 1}
    for components, right in (
        ([{"type": 18, "label": "Name", "component": field}], True),
        ([row({**field, "label": "Name"})], True),
        ([{"type": 18, "label": "a" * 46, "component": field}], False),
        ([{"type": 18, "label": "Name", "component": {**field, "style": 3}}], False),
        ([], False),
    ):
        errors = FormErrors()
        check_modal_components(components, errors, ())
        assert bool(errors) is not right, components
