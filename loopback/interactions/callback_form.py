"""Checks the shape of what an application answers to an interaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loopback.errors import INVALID_FORM_BODY, ApiError, FormErrors
from loopback.interactions.component_form import check_modal_components
from loopback.interactions.interaction import ALLOWED_CALLBACKS, Callback

if TYPE_CHECKING:
    from loopback.interactions.interaction import Interaction


def check_callback(interaction: Interaction, body: object) -> tuple[Callback, dict[str, Any]]:
    """Check the shape of a callback, and that its type fits the interaction.

    Returns its type and data; raises ApiError 50035 with the errors of each field.
    """
    errors = FormErrors()
    given = body if isinstance(body, dict) else {}
    allowed = ALLOWED_CALLBACKS[interaction.kind]
    data = given.get("data") or {}
    if "type" not in given:
        errors.required(("type",))
    elif given["type"] not in {int(kind) for kind in allowed} or (given["type"] == 7 and interaction.source is None):
        choices = ", ".join(str(int(kind)) for kind in sorted(allowed))
        errors.add(("type",), "BASE_TYPE_CHOICES", f"Value must be one of {{{choices}}}.")
    elif given["type"] == Callback.CHOICES:
        _check_choices(data.get("choices"), errors)
    elif given["type"] == Callback.MODAL:
        _check_modal(data, errors)
    if errors:
        raise ApiError(400, INVALID_FORM_BODY, "Invalid Form Body", errors.tree)
    return Callback(given["type"]), data


def _check_choices(choices: object, errors: FormErrors) -> None:
    if not isinstance(choices, list):
        errors.required(("data", "choices"))
        return
    if len(choices) > 25:
        errors.length(("data", "choices"), 0, 25)
    for index, choice in enumerate(choices):
        for key in ("name", "value"):
            value = choice.get(key)
            if value is None:
                errors.required(("data", "choices", index, key))
            elif (key == "name" or isinstance(value, str)) and not 1 <= len(str(value)) <= 100:
                errors.length(("data", "choices", index, key), 1, 100)


def _check_modal(data: dict[str, Any], errors: FormErrors) -> None:
    for key, most in (("title", 45), ("custom_id", 100)):
        if not data.get(key):
            errors.required(("data", key))
        elif len(data[key]) > most:
            errors.length(("data", key), 1, most)
    check_modal_components(data.get("components") or (), errors, ("data", "components"))
