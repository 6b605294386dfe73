"""Discord's error answers.

Codes are those of the developer documentation, "Opcodes and Status Codes", section "JSON".
"""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An error answer: HTTP status, Discord's code, its sentence and, for forms, the tree of field errors."""

    def __init__(self, status: int, code: int, message: str, errors: dict[str, Any] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def to_json(self) -> dict[str, Any]:
        """The answer's body."""
        body: dict[str, Any] = {"message": self.message, "code": self.code}
        return body if self.errors is None else body | {"errors": self.errors}


def unauthorized() -> ApiError:
    """No or a wrong token."""
    return ApiError(401, 0, "401: Unauthorized")


def not_found() -> ApiError:
    """A route that does not exist."""
    return ApiError(404, 0, "404: Not Found")


def unknown(what: str) -> ApiError:
    """Something addressed by id that does not exist: `what` is one of the keys below."""
    return ApiError(404, _UNKNOWN[what], f"Unknown {what}")


def missing_access() -> ApiError:
    """The caller cannot even see the thing."""
    return ApiError(403, 50001, "Missing Access")


def missing_permissions() -> ApiError:
    """The caller sees the thing but may not do this to it."""
    return ApiError(403, 50013, "Missing Permissions")


class RateLimited(Exception):
    """A bucket that several routes share is empty; `headers` describe it."""

    def __init__(self, retry_after_s: float, headers: dict[str, str]) -> None:
        super().__init__(f"rate limited for {retry_after_s:.3f} s")
        self.retry_after_s = retry_after_s
        self.headers = headers


def invalid_form(errors: dict[str, Any]) -> ApiError:
    """A body with wrong fields."""
    return ApiError(400, 50035, "Invalid Form Body", errors)


_UNKNOWN = {
    "Application": 10002,
    "Channel": 10003,
    "Guild": 10004,
    "Member": 10007,
    "Message": 10008,
    "Permission overwrite": 10009,
    "Role": 10011,
    "User": 10013,
    "Emoji": 10014,
    "Webhook": 10015,
    "Voice State": 10065,
}


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
