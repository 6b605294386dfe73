"""Character cards: every kind that people share is read; what is damaged, too large or sly is refused or left out."""

from __future__ import annotations

import base64
import json
import struct
import zlib

import pytest

from core.errors import PersonaError
from core.persona.card_png import CARD_LIMIT_BYTES, card_texts, with_cards
from core.persona.cards import read_card, write_card
from core.persona.sheet import CharacterTable, MoodTable, Sheet
from tests.core.persona.cards_made import chunk, itext, packed, picture, png_with, text, v2, v3, ztext

V1 = {
    "name": "Nyx",
    "description": "Old {{char}}.",
    "personality": "",
    "scenario": "",
    "first_mes": "Hm.",
    "mes_example": "{{char}}: Hm.",
}


def read(card, **options):
    data = card if isinstance(card, bytes) else json.dumps(card).encode()
    return read_card(data, options.get("max_mb", 8), "nyx.png")


@pytest.mark.parametrize(
    "card",
    [
        V1,
        v2(description="Old {{char}}.", first_mes="Hm.", mes_example="{{char}}: Hm."),
        v3(description="Old {{char}}.", first_mes="Hm.", mes_example="{{char}}: Hm."),
    ],
)
def test_cards_of_each_version_are_read(card):
    table = read(card).table
    assert (table.name, table.description, table.greeting, table.example) == (
        "Nyx",
        "Old {{char}}.",
        "Hm.",
        "{{char}}: Hm.",
    )


@pytest.mark.parametrize(
    "chunks",
    [
        [text("ccv3", v3(name="New")), text("chara", v2(name="Old"))],
        [text("chara", v2(name="Old")), text("ccv3", v3(name="New"))],
        [ztext("ccv3", packed(v3(name="New")))],
        [itext("ccv3", packed(v3(name="New")), squeezed=False)],
        [itext("ccv3", packed(v3(name="New")), squeezed=True)],
        [text("Chara", v2(name="New"))],
        [text("ccv3", v3(name="New")), text("ccv3", v3(name="Second"))],
    ],
)
def test_the_newest_card_of_a_png_is_read_from_text_chunks_of_each_kind(chunks):
    card = read(png_with(*chunks))
    assert card.table.name == "New"
    assert card.has_picture


def test_a_card_that_cannot_be_read_makes_room_for_the_older_one_beside_it():
    odd = chunk(b"tEXt", b"ccv3\0" + base64.b64encode(b'{"spec": "chara_card_v9", "data": {}}'))
    assert read(png_with(odd, text("chara", v2(name="Old")))).table.name == "Old"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (picture(), "no character card in that PNG"),
        (png_with(text("ccv3", v3()))[:80], "cut off or damaged"),
        (png_with(text("ccv3", v3())).replace(b"ccv3\0ey", b"ccv3\0eZ"), "checksum does not fit"),
        (png_with(chunk(b"tEXt", b"ccv3\0" + b"*" * 40)), "not written in base64"),
        (png_with(ztext("ccv3", base64.b64encode(b" " * (CARD_LIMIT_BYTES + 99)))), "too large: at most 4 MiB"),
        (png_with(chunk(b"zTXt", b"ccv3\0\0" + zlib.compress(b"x" * 999)[:-6])), "cut off or damaged"),
        (png_with(struct.pack(">I4s", 2**31, b"tEXt")), "cut off or damaged"),
        (b"\x89PNG\r\n\x1a\n", "cut off or damaged"),
        (b"PK\x03\x04rest", ".charx"),
        (b"GIF89a", "no character card: I read .json files"),
        (b"", "no character card: I read .json files"),
        (b'{"name": ', "not valid JSON"),
        (b"{" + b'"a":' + b"[" * 100_000, "not valid JSON"),
        (b'{"name": "\xff"}', "not written in UTF-8"),
        (b'{"name": NaN}', "not valid JSON: NaN is no number"),
        (b'{"spec": "chara_card_v9"}', "unknown kind (spec = 'chara_card_v9')"),
        (b'{"data": []}', "data has to be a table of keys, and is list"),
        (b'{"name": 5}', "name = 5: a text is needed"),
        (b'{"name": " "}', "it has no name"),
        (b'{"name": "\\u200b"}', "has no letter or digit that can be seen"),
        (b'{"name": "' + b"x" * (CARD_LIMIT_BYTES + 1) + b'"}', "too large: 4.0 MiB, and at most 4 MiB"),
    ],
)  # fmt: skip
def test_what_is_no_card_or_a_damaged_one_is_refused_with_what_is_wrong(data, sentence):
    with pytest.raises(PersonaError) as refused:
        read_card(data, 8, "nyx.png")
    assert sentence in refused.value.sentence
    assert "\n" not in refused.value.sentence


def test_a_bomb_is_unpacked_no_further_than_allowed():
    bomb = zlib.compress(b"A" * 40 * 2**20)
    with pytest.raises(PersonaError, match="too large"):
        read_card(png_with(chunk(b"zTXt", b"ccv3\0\0" + bomb)), 8)


def test_a_file_of_more_bytes_than_allowed_is_not_looked_at():
    with pytest.raises(PersonaError, match=r"too large: 2\.0 MiB, and at most 1 MiB"):
        read_card(b"{" * (2 * 2**20), 1)


def test_a_lorebook_files_and_further_greetings_are_left_out_and_said_so():
    card = read(
        v3(
            character_book={"entries": [{"keys": ["x"], "content": "secret"}] * 12},
            assets=[{"type": "icon", "uri": "http://127.0.0.1/steal.png", "name": "main", "ext": "png"}],
            alternate_greetings=["a", "b"],
            system_prompt="{{original}} Obey.",
            post_history_instructions="Always obey.",
            nickname="Nyxie",
        )
    )
    assert card.table.instruction == "Obey.\nAlways obey."
    assert card.table.name == "Nyxie"
    assert card.notes == (
        "its instructions stand below my own rules",
        "its lorebook of 12 entries is left out",
        "1 file(s) that it names are not fetched",
        "2 more greetings are left out",
    )
    assert "secret" not in card.table.model_dump_json()
    assert "127.0.0.1" not in card.table.model_dump_json()


def test_long_texts_are_cut_and_half_signs_replaced():
    card = read(v3(description="x" * 50_000, first_mes="a\ud800b\0"))
    assert len(card.table.description) == 20_000
    assert "its description is cut to 20000 characters" in card.notes
    assert card.table.greeting == "a?b"


def test_what_a_card_says_of_moods_is_taken_within_bounds_and_never_a_route_or_a_file():
    ours = {
        "moods": [{"name": "cross", "avatar": "../../etc/passwd", "pitch": -2}],
        "voice": {"rate": 99},
        "route": "expensive",
        "avatar": "/etc/passwd",
    }
    card = read(v3(extensions={"parley": ours, "other": {"x": 1}}))
    assert [(mood.name, mood.pitch, mood.avatar) for mood in card.table.moods] == [("cross", -2, "")]
    assert card.table.route == card.table.avatar == ""
    assert card.table.voice.rate == 1.0
    assert any("voice is left out" in note for note in card.notes)


@pytest.mark.parametrize("kind", ["v2", "v3"])
def test_what_is_exported_is_read_again_as_it_was(kind):
    table = CharacterTable(
        name="Nyx",
        description="Äöü 夜",
        personality="p",
        scenario="s",
        instruction="i",
        example="{{char}}: e",
        greeting="g",
        triggers=["nyx"],
        moods=[MoodTable(name="cross", emoji="😠", moved_by={"insult": 1.0})],
    )
    card = write_card(Sheet("nyx", table), kind)
    assert json.loads(card)["spec"] == f"chara_card_{kind}"
    assert read(card).table == table
    png = with_cards(picture(), {"ccv3": card, "chara": card})
    assert read(png).table == table
    again = with_cards(png, {"chara": card})
    assert list(card_texts(again)) == ["chara"], "older cards of a picture do not stay in it"
