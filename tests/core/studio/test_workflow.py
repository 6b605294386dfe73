"""Workflow files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from core.errors import StudioError
from core.studio.workflow import Wish, fill, read_workflow

if TYPE_CHECKING:
    from pathlib import Path

WISH = Wish('a "cat" with %seed%', 42, 640, 480, negative="dogs")


def test_placeholders_are_filled_and_a_lone_one_keeps_its_type() -> None:
    workflow = {
        "1": {"class_type": "Text", "inputs": {"text": "photo of %prompt%, sharp", "not": "%negative%"}},
        "2": {"class_type": "Sampler", "inputs": {"seed": "%seed%", "size": ["%width%", "%height%"], "steps": 20}},
    }
    filled = fill(workflow, WISH)
    assert filled["1"]["inputs"] == {"text": 'photo of a "cat" with %seed%, sharp', "not": "dogs"}
    assert filled["2"]["inputs"] == {"seed": 42, "size": [640, 480], "steps": 20}
    assert workflow["2"]["inputs"]["seed"] == "%seed%"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not valid JSON"),
        ("[]", "not in API form"),
        (json.dumps({"nodes": [], "links": []}), "Export"),
        (json.dumps({"1": {"class_type": "Text", "inputs": {}}}), "no %prompt%"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "flow.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(StudioError, match=sentence) as caught:
        read_workflow(file)
    assert "flow.json" in caught.value.sentence
    assert str(tmp_path) not in caught.value.sentence


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match=r"none\.json cannot be read"):
        read_workflow(tmp_path / "none.json")
