"""Judges of journals: RFC 7845 to the letter, and Xiph's own tools where they are installed (Debian: `opus-tools`)."""

from __future__ import annotations

import io
import shutil
import subprocess
from typing import TYPE_CHECKING

from core.audio.ogg import FIRST, LAST, Damage, Page, PageReader
from core.audio.opus import packet_samples

if TYPE_CHECKING:
    from pathlib import Path


def complaints(path: Path, *, cut: bool = False) -> list[str]:
    """What is wrong with an Ogg Opus file; one that was `cut` may lack its end and break off within a page."""
    found = rules_broken(path.read_bytes(), cut=cut)
    if opusinfo := shutil.which("opusinfo"):
        ran = subprocess.run([opusinfo, str(path)], capture_output=True, text=True, errors="replace", check=False)
        for line in (ran.stdout + ran.stderr).splitlines():
            told = line.strip()
            missing_end = "EOS not set" in told and "normal for live streams" in told
            if ("warning" in told.lower() or "error" in told.lower()) and not (cut and missing_end):
                found.append(f"opusinfo: {told}")
    if opusdec := shutil.which("opusdec"):
        ran = subprocess.run(
            [opusdec, "--quiet", str(path), "/dev/null"],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        found += [f"opusdec: {line}" for line in (ran.stdout + ran.stderr).splitlines() if line.strip()]
    return found


def rules_broken(data: bytes, *, cut: bool = False) -> list[str]:
    """RFC 7845: headers alone on their pages, granule positions that count samples, no empty page, an end."""
    pages = list(PageReader(io.BytesIO(data)))
    if cut and pages and isinstance(pages[-1], Damage) and pages[-1].truncated:
        pages.pop()
    found = [f"damage at {page.offset}" for page in pages if isinstance(page, Damage)]
    sound = [page for page in pages if isinstance(page, Page)]
    for number, page in enumerate(sound):
        if page.sequence != number:
            found.append(f"page {number} has number {page.sequence}")
        if (page.flags & FIRST != 0) != (number == 0):
            found.append(f"page {number} begins the stream")
        if not page.packets or not all(page.packets):
            found.append(f"page {number} has an empty packet or none")
    counted = 0
    for number, page in enumerate(sound[2:], 2):
        lengths = [packet_samples(packet) for packet in page.packets]
        if not all(lengths):
            found.append(f"page {number} has a packet that is no Opus")
        counted += sum(lengths)
        last = page.flags & LAST != 0
        if last and number != len(sound) - 1:
            found.append(f"page {number} ends the stream, but it goes on")
        if page.granule != counted and not (last and counted - sum(lengths) <= page.granule <= counted):
            found.append(f"page {number} says {page.granule}, but has {counted}")
    if not cut and not (sound and sound[-1].flags & LAST):
        found.append("the stream has no end")
    if not cut and len(sound) > 2 and sound[-1].granule < 312:
        found.append("the stream ends within its pre-skip")
    return found
