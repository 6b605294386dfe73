"""The shelf: characters of a folder and of servers, seen again when they change; a faulty file hurts no other."""

from __future__ import annotations

import json
import os

import pytest

from core.errors import PersonaError
from core.persona import imports
from core.persona.cards import read_card
from core.persona.sheet import CharacterTable, checked
from core.persona.shelf import Shelf
from tests.core.persona.cards_made import picture, png_with, text, v3

MB = 8


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "characters").mkdir()
    return tmp_path / "characters"


@pytest.fixture
def shelf(tmp_path, folder):
    async def read(data, file):
        read_files.append(file)
        return read_card(data, MB, file)

    read_files: list[str] = []
    shelf = Shelf(folder, tmp_path / "imported", read, MB)
    shelf.read_files = read_files
    return shelf


def ids(shelf, guild_id=None):
    return [sheet.id for sheet in shelf.of(guild_id)]


async def test_files_of_every_kind_are_characters_and_mere_pictures_are_none(shelf, folder):
    (folder / "mira.toml").write_text('name = "Mira"\navatar = "portrait.png"\n', encoding="utf-8")
    (folder / "mira.json").write_text(json.dumps(v3(name="Not her")), encoding="utf-8")
    (folder / "nyx.png").write_bytes(png_with(text("ccv3", v3())))
    (folder / "old.json").write_text(json.dumps({"name": "Old"}), encoding="utf-8")
    (folder / "old.jpg").write_bytes(b"x")
    (folder / "portrait.png").write_bytes(picture())
    (folder / ".hidden.toml").write_text("broken", encoding="utf-8")
    (folder / "notes.txt").write_text("x", encoding="utf-8")
    await shelf.open()
    assert ids(shelf) == ["mira", "nyx", "old"]
    assert shelf.faults == []
    assert shelf.find("mira", None).name == "Mira", "our own format counts"
    pictures = [shelf.find(id_, None).picture for id_ in ids(shelf)]
    assert [found.name for found in pictures] == ["portrait.png", "nyx.png", "old.jpg"]


async def test_what_is_dropped_changed_or_taken_away_is_seen_at_the_next_look_and_read_once(shelf, folder):
    await shelf.open()
    assert ids(shelf) == []
    card = folder / "nyx.json"
    card.write_text(json.dumps(v3()), encoding="utf-8")
    await shelf.look(None)
    await shelf.look(None)
    assert shelf.read_files == ["nyx.json"]
    card.write_text(json.dumps(v3(description="changed")), encoding="utf-8")
    os.utime(card, ns=(1, 1))
    await shelf.look(None)
    assert shelf.find("nyx", None).table.description == "changed"
    card.unlink()
    await shelf.look(None)
    assert ids(shelf) == []


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.toml", b'name = "A"\nage = 5\n', "a.toml: age is not a known key; known are: avatar, description"),
        ("a.toml", b'description = "A"\n', "a.toml: name is missing."),
        ("a.toml", b'name = "A"\n[voice]\npitch = 99\n', "a.toml: voice.pitch = 99: input should be less than or equal to 12"),
        ("a.toml", b'name = "A"\n[[moods]]\nname="x"\nmoved_by={joy=9}\n', "joy = 9 is allowed from -5 to 5"),
        ("a.toml", b'name = "A"\n[[moods]]\nname="x"\nmoved_by={glee=1}\n', "a.toml: moods.0.moved_by.glee"),
        ("a.toml", b'name = "A"\n[[moods]]\nname="x"\n[[moods]]\nname="X"\n', "two moods are called “x”"),
        ("a.toml", b'name = "A"\navatar = "../secret.png"\n', "a.toml: avatar = '../secret.png'"),
        ("a.toml", b'name = "A"\ntriggers = ["!!"]\n', "needs two letters or digits"),
        ("a.toml", b'name = "\xe2\x80\x8b"\n', "no letter or digit that can be seen"),
        ("a.toml", b"name = ", "a.toml is not valid TOML"),
        ("a.toml", b'name = "\xff"', "a.toml is not written in UTF-8"),
        ("a.toml", b"#" * 600_000, "a.toml is too large for a character: 586 KiB"),
        ("a.json", b"{", "a.json: That card is not valid JSON"),
        ("a.png", b"chara", "a.png: That is no character card"),
    ],
)  # fmt: skip
async def test_a_faulty_file_is_told_with_its_key_and_hurts_no_other(shelf, folder, name, content, sentence):
    (folder / name).write_bytes(content)
    (folder / "good.toml").write_text('name = "Good"', encoding="utf-8")
    await shelf.open()
    assert ids(shelf) == ["good"]
    [fault] = shelf.faults
    assert sentence in fault


async def test_what_a_server_imported_is_its_own_and_lies_under_a_name_of_ours(shelf, tmp_path):
    table = checked({"name": "../../evil"}, "card")
    folder = shelf.imported(5)
    id_ = await imports.keep(folder, table, picture(), 2)
    assert id_.startswith("card-")
    assert {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()} == {
        f"imported/5/{id_}.json",
        f"imported/5/{id_}.png",
    }
    await shelf.look(5)
    assert ids(shelf, 5) == [id_]
    assert ids(shelf, 6) == ids(shelf, None) == []
    assert shelf.find(id_, 6) is None
    with pytest.raises(PersonaError, match="imported that character already"):
        await imports.keep(folder, table, None, 2)
    await imports.keep(folder, CharacterTable(name="Two"), None, 2)
    with pytest.raises(PersonaError, match="has 2 imported characters already, and may have 2"):
        await imports.keep(folder, CharacterTable(name="Three"), None, 2)
    again = Shelf(tmp_path / "characters", tmp_path / "imported", shelf._read_card, MB)
    await again.open()
    assert len(ids(again, 5)) == 2
    await imports.remove(folder, id_)
    await again.look(5)
    assert [sheet.name for sheet in again.of(5)] == ["Two"]


async def test_a_character_is_found_by_id_or_name_and_who_is_not_is_told_what_there_is(shelf, folder):
    for id_ in ("one", "two"):
        (folder / f"{id_}.toml").write_text('name = "Twin"', encoding="utf-8")
    await shelf.open()
    assert shelf.named(" TWO ", None).id == "two"
    with pytest.raises(PersonaError, match=r"Several characters are called that\..*one, two"):
        shelf.named("twin", None)
    with pytest.raises(PersonaError, match=r"There is no character “x”. There are: one, two\."):
        shelf.named("x", None)


async def test_a_folder_of_too_many_files_is_told_and_read_as_far_as_it_may_be(shelf, folder, monkeypatch):
    for module in ("files", "shelf"):
        monkeypatch.setattr(f"core.persona.{module}.MOST_FILES", 3)
    for number in range(5):
        (folder / f"c{number}.toml").write_text('name = "Twin"', encoding="utf-8")
    await shelf.open()
    assert ids(shelf) == ["c0", "c1", "c2"]
    assert shelf.faults == [
        "The folder characters holds more files than the 3 that are read; the last by name are left out."
    ]
    (folder / "c0.toml").unlink()
    (folder / "c1.toml").unlink()
    await shelf.look(None)
    assert (ids(shelf), shelf.faults) == (["c2", "c3", "c4"], [])
