"""Finds buttons, selects and modal fields, and checks what a person does with them as the client does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from loopback.interactions.component_types import BUTTON, CHECKBOX_GROUP, LABEL, RADIO_GROUP, ROW, SELECTS, walk
from loopback.people.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_LINK_STYLES: Final = (5, 6)
_MAX_TEXT_INPUT: Final = 4000


def find_button(components: Sequence[Mapping[str, Any]], wanted: str) -> Mapping[str, Any]:
    """The button with that custom id, label or emoji, if a person can press it; raises Refused otherwise."""
    buttons = [component for component in walk(components) if component["type"] == BUTTON]
    button = next((button for button in buttons if wanted in _button_names(button)), None)
    if button is None:
        raise Refused(f"there is no button {wanted!r}; there are {[_button_names(button)[0] for button in buttons]}")
    if button.get("disabled"):
        raise Refused(f"the button {wanted!r} is disabled")
    if button.get("style") in _LINK_STYLES:
        raise Refused(f"the button {wanted!r} is a link: the application does not hear of it")
    return button


def _button_names(button: Mapping[str, Any]) -> list[str]:
    names = [button.get("label"), (button.get("emoji") or {}).get("name"), button.get("custom_id")]
    return [name for name in names if name]


def find_select(components: Sequence[Mapping[str, Any]], custom_id: str | None) -> Mapping[str, Any]:
    """The select with that custom id or placeholder (the only one if None); raises Refused otherwise."""
    selects = [component for component in walk(components) if component["type"] in SELECTS]
    if custom_id is not None:
        selects = [select for select in selects if custom_id in (select["custom_id"], select.get("placeholder"))]
    if len(selects) != 1:
        raise Refused(f"there are {len(selects)} selects that fit {custom_id!r}, not one")
    if selects[0].get("disabled"):
        raise Refused(f"the select {selects[0]['custom_id']!r} is disabled")
    return selects[0]


def pick(select: Mapping[str, Any], values: Sequence[object]) -> list[object]:
    """Check a choice against a select, radio or checkbox group; texts may be given by label or value.

    Returns the option values; for users, roles and channels the things themselves.
    """
    least, most = _how_many(select)
    if not least <= len(values) <= most:
        raise Refused(f"the select {select['custom_id']!r} takes {least} to {most} values, not {len(values)}")
    if "options" not in select:
        return list(values)
    names = {option[key]: option["value"] for key in ("value", "label") for option in select["options"]}
    for value in values:
        if value not in names:
            labels = [option["label"] for option in select["options"]]
            raise Refused(f"the select {select['custom_id']!r} offers {labels}, not {value!r}")
    return [names[value] for value in values]


def _how_many(select: Mapping[str, Any]) -> tuple[int, int]:
    if select["type"] == RADIO_GROUP:
        return int(select.get("required", True)), 1
    most = len(select["options"]) if select["type"] == CHECKBOX_GROUP else 1
    least = select.get("min_values", 1)
    if select.get("required") is False:
        least = 0
    return least, select.get("max_values") or most


def modal_fields(modal: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What a person can fill in, by custom id, with the label the person sees added."""
    fields: dict[str, Mapping[str, Any]] = {}
    for top in modal["components"]:
        for component in walk([top]):
            if "custom_id" in component:
                label = top.get("label") if top["type"] == LABEL else component.get("label")
                fields[component["custom_id"]] = {**component, "label": label}
    return fields


def check_text(field: Mapping[str, Any], text: object) -> str:
    """Check a text input's value; raises Refused if the client would not send it."""
    name = field.get("label") or field["custom_id"]
    if not isinstance(text, str):
        raise Refused(f"the field {name!r} takes text, not {text!r}")
    if not text:
        if field.get("required", True):
            raise Refused(f"the field {name!r} must be filled in")
        return text
    least, most = field.get("min_length") or 0, field.get("max_length") or _MAX_TEXT_INPUT
    if not least <= len(text) <= most:
        raise Refused(f"the field {name!r} takes {least} to {most} characters, not {len(text)}")
    return text


def submitted(modal: Mapping[str, Any], answers: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The `components` of a modal submit: the modal's shape with `answers` (by custom id) in place of the fields."""
    return [_answered(component, answers, str(index + 1)) for index, component in enumerate(modal["components"])]


def _answered(component: Mapping[str, Any], answers: Mapping[str, Mapping[str, Any]], number: str) -> dict[str, Any]:
    base: dict[str, Any] = {"type": component["type"], "id": component.get("id", int(number))}
    if "custom_id" in component:
        return base | {"custom_id": component["custom_id"]} | dict(answers[component["custom_id"]])
    if component["type"] == ROW:
        children = component["components"]
        return base | {
            "components": [_answered(child, answers, f"{number}{i + 1}") for i, child in enumerate(children)]
        }
    if component["type"] == LABEL:
        return base | {"component": _answered(component["component"], answers, f"{number}1")}
    return base
