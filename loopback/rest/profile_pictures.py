"""Pictures of accounts, members and webhooks: how they are sent, and how often an account may change its own."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

from loopback.rest.app import LOOPBACK

if TYPE_CHECKING:
    from aiohttp import web

    from loopback.errors import FormErrors

PICTURE_LIMIT_BYTES = 10 * 1024 * 1024
_KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp")
_TOO_FAST = "You are changing your avatar too fast. Try again later."

Picture = tuple[str | None, bytes]
"""Hash and bytes; no hash is no picture."""


def picture_of(value: object, field: str, errors: FormErrors) -> Picture:
    """The picture that a `data:image/...;base64,` URI carries, none for null; notes an error if it is neither."""
    if value is None:
        return None, b""
    head, _, body = str(value).partition(",")
    kind = head.removeprefix("data:").removesuffix(";base64")
    data = b""
    if head.startswith("data:") and head.endswith(";base64") and kind in _KINDS:
        try:
            data = base64.b64decode(body, validate=True)
        except binascii.Error:
            data = b""
    if not data:
        errors.add((field,), "IMAGE_INVALID", "Invalid image data")
    elif len(data) > PICTURE_LIMIT_BYTES:
        errors.add((field,), "BINARY_TYPE_MAX_SIZE", "File cannot be larger than 10240.0 kb.")
    return hashlib.blake2s(data, digest_size=16).hexdigest(), data


def check_pace(request: web.Request, key: object, errors: FormErrors) -> None:
    """Note an error if this account or member has changed its avatar too often. No header tells for how long."""
    limits = request.app[LOOPBACK].limits
    if limits.take_shared("avatar", key, limits.avatar).exceeded:
        errors.add(("avatar",), "AVATAR_RATE_LIMIT", _TOO_FAST)
