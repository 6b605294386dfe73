"""What the voice gateway's messages must be before discord.py believes them: it takes over whatever they hold."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Collection

NONSENSE = (LookupError, TypeError, ValueError, AttributeError, OverflowError, struct.error)
"""What discord.py, davey and these checks raise for messages that make no sense."""

KEY_BYTES = 32
_DESCRIPTION, _PREPARE_TRANSITION, _EXECUTE_TRANSITION, _PREPARE_EPOCH = 4, 21, 22, 24
_LARGEST_ID = 0xFFFF


def require_sense(message: object, *, modes: Collection[str], newest_dave: int) -> dict[str, Any]:
    """The message, if what we go by is well-formed.

    Args:
        message: As it was parsed.
        modes: Transport modes that we speak.
        newest_dave: The newest DAVE version that we speak.

    Raises:
        TypeError, ValueError: It is not; the message says what is wrong.
    """
    if not isinstance(message, dict):
        raise TypeError("not an object")
    message = cast("dict[str, Any]", message)
    op, data = _whole(message.get("op"), "op", 255), message.get("d")
    if "seq" in message:
        _whole(message["seq"], "seq", _LARGEST_ID)
    if op not in (_DESCRIPTION, _PREPARE_TRANSITION, _EXECUTE_TRANSITION, _PREPARE_EPOCH):
        return message
    if not isinstance(data, dict):
        raise TypeError(f"op {op} without an object")
    data = cast("dict[str, Any]", data)
    if op == _DESCRIPTION:
        _require_key(data, modes)
        _whole(data.get("dave_protocol_version"), "dave_protocol_version", newest_dave)
    if op in (_PREPARE_TRANSITION, _PREPARE_EPOCH):
        _whole(data.get("protocol_version"), "protocol_version", newest_dave)
    if op in (_PREPARE_TRANSITION, _EXECUTE_TRANSITION):
        _whole(data.get("transition_id"), "transition_id", _LARGEST_ID)
    if op == _PREPARE_EPOCH:
        _whole(data.get("epoch"), "epoch", 2**63)
    return message


def _require_key(data: dict[str, Any], modes: Collection[str]) -> None:
    if data.get("mode") not in tuple(modes):
        raise ValueError("a transport mode that was not offered")
    key = data.get("secret_key")
    if not isinstance(key, list):
        raise TypeError("no transport key")
    numbers = cast("list[object]", key)
    if len(numbers) != KEY_BYTES or not all(type(byte) is int and 0 <= byte <= 255 for byte in numbers):
        raise ValueError(f"a transport key that is not {KEY_BYTES} bytes")


def _whole(value: object, name: str, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{name} is not a whole number from 0 to {most}")
    return value
