"""Character cards as people share them (V1, V2, V3; JSON alone or inside a PNG): read as strangers' files, and written.

Reading takes texts alone. Nothing that a card names is fetched, nothing in it is run, and its lorebook is left out. It computes for a
while on what strangers sent: it belongs into a worker.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from core.errors import PersonaError
from core.names import plain
from core.persona.card_png import CARD_LIMIT_BYTES, KEYWORDS, card_texts, is_png
from core.persona.sheet import LONGEST_TEXT, MOST_TRIGGERS, CharacterTable, checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.persona.sheet import Sheet

MIB = 2**20
TOO_LARGE = "That card is too large: {size:.1f} MiB, and at most {limit} MiB are read."
NO_KIND = "That is no character card: I read .json files, and .png files with a card inside."
ARCHIVE = "Cards packed as .charx are not read. Please export it as .json or .png first."
NO_UTF8 = "That card is not written in UTF-8."
NO_JSON = "That card is not valid JSON: {reason}."
NO_OBJECT = "That card is not valid: {where} has to be a table of keys, and is {what}."
NO_TEXT = "That card is not valid: {where} = {given}: a text is needed."
NO_NAME = "That card is not valid: it has no name."
UNKNOWN = "That card is of an unknown kind (spec = {given}): chara_card_v2 and chara_card_v3 are read, and older ones without."

_LOREBOOK = "its lorebook of {count} entries is left out"
_ASSETS = "{count} file(s) that it names are not fetched"
_CUT = "its {what} is cut to {limit} characters"
_ALTERNATES = "{count} more greetings are left out"
_OWN_RULES = "its instructions stand below my own rules"
_EXTRA = "what it says of {what} is left out: {reason}"

# Field of a card to key of ours. Instructions for the end of a prompt are no more than others.
_TEXTS = (
    ("description", "description"),
    ("personality", "personality"),
    ("scenario", "scenario"),
    ("first_mes", "greeting"),
    ("mes_example", "example"),
    ("system_prompt", "instruction"),
    ("post_history_instructions", "instruction"),
)


@dataclass(frozen=True, slots=True)
class ReadCard:
    """A card that may be used: its texts, whether its file is a picture too, and what was left out, in words."""

    table: CharacterTable
    has_picture: bool = False
    notes: tuple[str, ...] = ()


def read_card(data: bytes, max_mb: int, file: str = "card") -> ReadCard:
    """The character on a card. Runs in a worker.

    Raises:
        PersonaError: It is none, is damaged, is too large, or has a value that is not allowed.
    """
    if len(data) > max_mb * MIB:
        raise PersonaError(TOO_LARGE.format(size=len(data) / MIB, limit=max_mb))
    if is_png(data):
        return _from_png(data, file)
    if data.startswith(b"PK\x03\x04"):
        raise PersonaError(ARCHIVE)
    if len(data) > CARD_LIMIT_BYTES:
        raise PersonaError(TOO_LARGE.format(size=len(data) / MIB, limit=CARD_LIMIT_BYTES // MIB))
    if not data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        raise PersonaError(NO_KIND)
    return _from_json(data, file)


def _from_png(data: bytes, file: str) -> ReadCard:
    """The newest card that can be read; one that cannot makes room for the older one beside it."""
    texts = card_texts(data)
    first: PersonaError | None = None
    for keyword in KEYWORDS:
        if keyword in texts:
            try:
                card = _from_json(texts[keyword], file)
            except PersonaError as error:
                first = first or error
            else:
                return ReadCard(card.table, True, card.notes)
    raise first or PersonaError(NO_KIND)


def _from_json(text: bytes, file: str) -> ReadCard:
    try:
        given: object = json.loads(text.decode("utf-8-sig"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise PersonaError(NO_UTF8) from error
    except (ValueError, RecursionError) as error:
        raise PersonaError(NO_JSON.format(reason=plain(str(error), 120))) from error
    card = _table(given, "the card")
    spec = card.get("spec")
    if spec not in (None, "", "chara_card_v2", "chara_card_v3"):
        raise PersonaError(UNKNOWN.format(given=plain(repr(spec), 40)))
    data = _table(card["data"], "data") if "data" in card else card
    return _character(data, file)


def _character(data: Mapping[str, object], file: str) -> ReadCard:
    notes: list[str] = []
    table: dict[str, Any] = {"name": _said(data, "nickname") or _said(data, "name")}
    if not table["name"].strip():
        raise PersonaError(NO_NAME)
    table["name"] = table["name"][:200]
    for field, key in _TEXTS:
        if text := _said(data, field).replace("{{original}}", "").strip():
            table[key] = f"{table[key]}\n{text}" if key in table else text
    for key in {key for _, key in _TEXTS}:
        if len(table.get(key, "")) > LONGEST_TEXT:
            table[key] = table[key][:LONGEST_TEXT]
            notes.append(_CUT.format(what=key, limit=LONGEST_TEXT))
    notes += [_OWN_RULES] if "instruction" in table else []
    notes += _left_out(data)
    notes += _take_extras(table, data, file)
    return ReadCard(checked(table, file), notes=tuple(notes))


def _left_out(data: Mapping[str, object]) -> list[str]:
    notes: list[str] = []
    book = data.get("character_book")
    entries = cast("dict[str, object]", book).get("entries") if isinstance(book, dict) else None
    for found, told in (
        (entries, _LOREBOOK),
        (data.get("assets"), _ASSETS),
        (data.get("alternate_greetings"), _ALTERNATES),
    ):
        if isinstance(found, list | dict) and found:
            notes.append(told.format(count=len(cast("list[object]", found))))
    return notes


def _take_extras(table: dict[str, Any], data: Mapping[str, object], file: str) -> list[str]:
    """Moods, voice, triggers and likes, as our own exports carry them. A model route is the operator's to name, and files are not ours."""
    extensions = data.get("extensions")
    ours = cast("dict[str, object]", extensions).get("parley") if isinstance(extensions, dict) else None
    if not isinstance(ours, dict):
        return []
    notes: list[str] = []
    for key, found in cast("dict[str, object]", ours).items():
        if key not in ("voice", "moods", "triggers", "likes"):
            continue
        value: Any = found
        if key == "moods" and isinstance(found, list):
            moods = cast("list[object]", found)
            value = [
                {**cast("dict[str, object]", mood), "avatar": ""} if isinstance(mood, dict) else mood for mood in moods
            ]
        elif key == "triggers" and isinstance(found, list):
            value = cast("list[object]", found)[:MOST_TRIGGERS]
        try:
            checked({**table, key: value}, file)
        except PersonaError as error:
            notes.append(_EXTRA.format(what=key, reason=error.sentence.partition("\n")[0].rstrip(".")))
        else:
            table[key] = value
    return notes


def _said(data: Mapping[str, object], field: str) -> str:
    found = data.get(field)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise PersonaError(NO_TEXT.format(where=field, given=plain(repr(found), 40)))
    # Half a pair of UTF-16 can be written in JSON, but nowhere else.
    return found.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n").replace("\0", "")


def _table(given: object, where: str) -> dict[str, object]:
    if not isinstance(given, dict):
        raise PersonaError(NO_OBJECT.format(where=where, what=type(given).__name__))
    return cast("dict[str, object]", given)


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no number")


# Writing --------------------------------------------------------------------------------------------------------------


def write_card(sheet: Sheet, kind: Literal["v2", "v3"]) -> bytes:
    """A character as a card's JSON; what only we know of it stands under `extensions.parley`."""
    table = sheet.table
    data: dict[str, Any] = {
        "name": table.name,
        "description": table.description,
        "personality": table.personality,
        "scenario": table.scenario,
        "first_mes": table.greeting,
        "mes_example": table.example,
        "creator_notes": "",
        "system_prompt": table.instruction,
        "post_history_instructions": "",
        "alternate_greetings": [],
        "tags": [],
        "creator": "",
        "character_version": "",
        "extensions": {
            "parley": table.model_dump(include={"voice", "moods", "triggers", "likes"}, exclude_defaults=True)
        },
    }
    spec, version = ("chara_card_v3", "3.0") if kind == "v3" else ("chara_card_v2", "2.0")
    if kind == "v3":
        data["group_only_greetings"] = []
    return json.dumps({"spec": spec, "spec_version": version, "data": data}, ensure_ascii=False, indent=1).encode()
