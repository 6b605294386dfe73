"""Discord's form errors: the nested `errors` tree of error 50035."""

from __future__ import annotations

from typing import Any

INVALID_FORM_BODY = 50035


class FormErrors:
    """Collects what is wrong with a body, field by field.

    The tree is what Discord answers: one level for each key or index of the path, with the list `_errors` at the
    field itself (developer documentation, "Error Messages").
    """

    def __init__(self) -> None:
        self._tree: dict[str, Any] = {}

    def __bool__(self) -> bool:
        return bool(self._tree)

    def add(self, path: tuple[str | int, ...], code: str, message: str) -> None:
        """Note one error of the field at `path`."""
        node = self._tree
        for step in path:
            node = node.setdefault(str(step), {})
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def required(self, path: tuple[str | int, ...]) -> None:
        """Note that the field at `path` is missing."""
        self.add(path, "BASE_TYPE_REQUIRED", "This field is required")

    def length(self, path: tuple[str | int, ...], least: int, most: int) -> None:
        """Note that a text or list has the wrong length."""
        if least:
            self.add(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")
        else:
            self.add(path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")

    @property
    def tree(self) -> dict[str, Any]:
        """The `errors` object of the answer."""
        return self._tree
