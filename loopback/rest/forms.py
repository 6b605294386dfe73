"""Reads request bodies: JSON, or a form with `payload_json`, and with files if it is multipart."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import BodyPartReader, web

from loopback.errors import ApiError
from loopback.world.messages import Upload

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

UPLOAD_LIMIT_BYTES = 10 * 1024 * 1024
MAX_FILES = 10
_FILE_FIELD = re.compile(r"files\[(\d+)\]|file(\d*)")


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file part as it came."""

    filename: str
    data: bytes = field(repr=False)
    content_type: str | None


@dataclass(frozen=True, slots=True)
class Form:
    """A body: its JSON and its files by their number."""

    payload: dict[str, Any]
    files: Mapping[int, RawFile] = field(default_factory=dict)


async def read_json(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object; an empty body is an empty object."""
    return _object(await request.read())


async def read_form(request: web.Request) -> Form:
    """The body with its files.

    Raises:
        ApiError: 50109 for broken JSON, 40005 for a file over the upload limit, 50035 for too many files.
    """
    if request.content_type == "application/x-www-form-urlencoded":  # clients whose form library sees no files in it
        fields = await request.post()
        written = {name: value for name, value in fields.items() if isinstance(value, str)}
        payload_json = written.pop("payload_json", "")
        return Form(written | _object(payload_json.encode()))
    if not request.content_type.startswith("multipart/"):
        return Form(await read_json(request))
    payload: dict[str, Any] = {}
    files: dict[int, RawFile] = {}
    too_large = False
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            raise ApiError(400, 50035, "Invalid Form Body")
        data = bytes(await part.read(decode=True))
        if part.name == "payload_json":
            payload = _object(data)
            continue
        match = _FILE_FIELD.fullmatch(part.name or "")
        if match is None:
            payload[part.name or ""] = data.decode(errors="replace")
            continue
        too_large = too_large or len(data) > UPLOAD_LIMIT_BYTES
        number = int(match[1] or match[2] or 0)
        files[number] = RawFile(part.filename or "file", data, part.headers.get("Content-Type"))
    if too_large:  # only now: the client must have sent everything before it reads an answer
        raise ApiError(413, 40005, "Request entity too large")
    if len(files) > MAX_FILES:
        errors = {"files": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 10 or fewer in length."}]}}
        raise ApiError(400, 50035, "Invalid Form Body", errors)
    return Form(payload, files)


def uploads_of(files: Mapping[int, RawFile], described: Iterable[Mapping[str, Any]] | None) -> tuple[Upload, ...]:
    """The files of a form as uploads; `described` is the message's `attachments` list, matched by number."""
    by_number = {int(one["id"]): one for one in described or () if str(one.get("id", "")).isdigit()}
    return tuple(_upload(file, by_number.get(number, {})) for number, file in sorted(files.items()))


def _upload(file: RawFile, described: Mapping[str, Any]) -> Upload:
    guessable = file.content_type in (None, "application/octet-stream")
    return Upload(
        described.get("filename") or file.filename,
        file.data,
        None if guessable else file.content_type,
        description=described.get("description"),
        duration_s=described.get("duration_secs"),
        waveform=described.get("waveform"),
    )


def _object(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        parsed = json.loads(body)
    except ValueError as error:
        raise ApiError(400, 50109, "The request body contains invalid JSON.") from error
    if not isinstance(parsed, dict):
        raise ApiError(400, 50035, "Invalid Form Body")
    return parsed
