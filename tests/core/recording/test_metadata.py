from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from core.errors import RecordingError
from core.recording.metadata import Metadata, read_metadata, schema, write_metadata
from tests.core.recording.people import metadata

DOCUMENT = Path(__file__).parents[3] / "docs" / "recordings.md"


def keys(part: Any) -> set[str]:
    """Every property that a JSON schema knows."""
    if isinstance(part, list):
        return set().union(*(keys(each) for each in part)) if part else set()
    if not isinstance(part, dict):
        return set()
    return set(part.get("properties", {})) | set().union(set(), *(keys(each) for each in part.values()))


def test_every_key_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    missing = [key for key in keys(schema()) if f"`{key}`" not in text]
    assert missing == []
    assert {"undecryptable", "by", "missing", "transcripts", "at_s"} <= keys(schema())


def test_what_is_written_fits_the_schema_and_comes_back(tmp_path: Path) -> None:
    found = metadata()
    write_metadata(tmp_path, found)
    assert read_metadata(tmp_path) == found
    raw = json.loads((tmp_path / "metadata.json").read_text(encoding="utf-8"))
    assert set(raw) == set(schema()["properties"])
    assert raw["guild"] == {"id": "1", "name": "Guild"}
    assert datetime.fromisoformat(raw["started_at"]).tzinfo is not None


@pytest.mark.parametrize("change", [{"extra": 1}, {"schema_version": 2}, {"state": "odd"}, {"guild": {"id": "x"}}])
def test_what_does_not_fit_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    raw = json.loads(metadata().model_dump_json()) | change
    with pytest.raises(ValidationError):
        Metadata.model_validate(raw)
    (tmp_path / "metadata.json").write_text(json.dumps(raw))
    with pytest.raises(RecordingError, match="damaged"):
        read_metadata(tmp_path)


def test_a_folder_without_metadata_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read"):
        read_metadata(tmp_path)


def test_a_reader_sees_the_old_or_the_new_and_never_half(tmp_path: Path) -> None:
    first, second = metadata("a"), metadata("b")
    second.ended_at = datetime(2026, 11, 6, 21, tzinfo=UTC)
    for found in (first, second):
        write_metadata(tmp_path, found)
        assert read_metadata(tmp_path).id == found.id
    assert [path.name for path in tmp_path.iterdir()] == ["metadata.json"]
