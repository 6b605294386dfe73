from __future__ import annotations

import io
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from core.audio.ogg import Damage, Page, PageReader, build_page, opus_head, opus_tags, read_tags
from core.audio.opus import Encoder

if TYPE_CHECKING:
    from pathlib import Path


def stream(count: int = 20) -> tuple[list[bytes], list[bytes]]:
    encoder = Encoder()
    rng = np.random.default_rng(3)
    packets = [encoder.encode(rng.integers(-9000, 9000, (960, 2)).astype(np.int16)) for _ in range(count)]
    pages = [build_page([opus_head()], 0, 7, 0, 2), build_page([opus_tags("Parley", {"TITLE": "Ana"})], 0, 7, 1)]
    pages += [build_page([packet], (i + 1) * 960, 7, i + 2) for i, packet in enumerate(packets)]
    return pages, packets


def read(data: bytes) -> list[Page | Damage]:
    return list(PageReader(io.BytesIO(data)))


def payloads(found: list[Page | Damage]) -> list[bytes]:
    return [packet for page in found if isinstance(page, Page) for packet in page.packets]


def test_other_software_reads_the_pages(tmp_path: Path) -> None:
    pages, packets = stream()
    file = tmp_path / "a.ogg"
    file.write_bytes(b"".join(pages))
    with av.open(str(file)) as container:
        assert container.metadata.get("title") or container.streams.audio[0].metadata["TITLE"] == "Ana"
        found = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    assert found == packets


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 510, 765, 1200])
def test_packets_of_any_size_come_back(size: int) -> None:
    packet = bytes(range(256)) * 5
    page = build_page([packet[:size], b"end"], 960, 1, 0)
    assert payloads(read(page)) == [packet[:size], b"end"]


def test_a_file_cut_anywhere_is_read_up_to_the_cut() -> None:
    pages, packets = stream(6)
    data = b"".join(pages)
    ends = np.cumsum([len(page) for page in pages])
    for cut in range(len(data)):
        found = read(data[:cut])
        whole = int(np.searchsorted(ends, cut, side="right"))
        assert payloads(found)[2:] == packets[: max(0, whole - 2)]
        left = cut - (ends[whole - 1] if whole else 0)
        assert found[whole:] == ([Damage(cut - left, left, truncated=True)] if left else [])


def test_a_flipped_bit_costs_one_page_and_is_told() -> None:
    pages, packets = stream(8)
    data = b"".join(pages)
    starts = np.cumsum([0, *map(len, pages)])
    rng = np.random.default_rng(0)
    for place in [*rng.integers(len(data), size=200).tolist(), *range(int(starts[4]), int(starts[4]) + 30)]:
        changed = bytearray(data)
        changed[place] ^= 1 << int(rng.integers(8))
        hit = int(np.searchsorted(starts, place, side="right")) - 1
        found = read(bytes(changed))
        assert [each for each in found if isinstance(each, Damage)] == [
            Damage(int(starts[hit]), len(pages[hit]), truncated=hit == len(pages) - 1)
        ]
        assert [packet for packet in packets if packet in payloads(found)] == [
            packet for index, packet in enumerate(packets) if index + 2 != hit
        ]


def test_garbage_between_pages_is_passed_over() -> None:
    pages, packets = stream(4)
    data = b"".join(pages[:3]) + b"OggS" + b"\0" * 5000 + b"OggSOgg" + b"".join(pages[3:])
    found = read(data)
    assert payloads(found)[2:] == packets
    assert sum(each.size for each in found if isinstance(each, Damage)) == 5011


def test_reading_goes_on_where_it_stopped() -> None:
    pages, packets = stream(10)
    file = io.BytesIO(b"".join(pages))
    reader = PageReader(file)
    first = [next(iter(reader)) for _ in range(5)]
    assert payloads(first)[2:] == packets[:3]
    assert payloads(list(PageReader(file, reader.offset))) == packets[3:]


def test_tags_come_back() -> None:
    assert read_tags(opus_tags("Parley", {"TITLE": "שלום", "A": "b=c"})) == {"TITLE": "שלום", "A": "b=c"}
    assert read_tags(opus_head()) is None
    assert read_tags(b"OpusTags\xff\xff\xff\xff") is None
