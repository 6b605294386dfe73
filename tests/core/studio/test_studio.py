"""The studio as a whole: what it refuses, and what stops it."""

from __future__ import annotations

import asyncio
import io
import json
import os
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from core.config.studio import ComfySection, StudioSection
from core.errors import StudioError
from core.events import FeatureLocked
from core.hub import Hub
from core.studio.comfyui import Drawing, Progress
from core.studio.media_type import sniff
from core.studio.studio import DRAWING, Studio
from loopback.services.comfyui import ComfyUI as Server
from tests.comfy_workflow import workflow as first_workflow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


class HereLane:
    """A lane whose jobs are done on threads of this process."""

    async def run(self, function: Callable[..., Any], *args: Any, **_options: Any) -> Any:
        return await asyncio.to_thread(function, *args)

    async def close(self) -> None:
        """Nothing to end."""


class Bench:
    """A studio in front of a server."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.hub = Hub()
        self.hub.bind(asyncio.get_running_loop())
        self.file = folder / "flow.json"
        self.file.write_text(json.dumps(first_workflow()), encoding="utf-8")

        self.locked = False

    def studio(self, *, workflow: bool = True, **comfyui: Any) -> Studio:
        section = StudioSection(comfyui=ComfySection(url=self.server.url, width=64, height=64, **comfyui))
        file = self.file if workflow else None
        return Studio(section, file, self.hub, HereLane(), gives_way=lambda: self.locked)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with Server() as server:
        yield Bench(server, tmp_path)


async def draw(studio: Studio, prompt: str = "a cat") -> list[Progress | Drawing]:
    async with aclosing(studio.draw(prompt, seed=1)) as told:
        return [item async for item in told]


async def test_a_wish_becomes_a_picture(bench: Bench) -> None:
    *progress, drawing = await draw(bench.studio())
    assert Progress(4, 4) in progress
    assert isinstance(drawing, Drawing)
    asked = next(request.json for request in bench.server.requests if request.path == "/prompt")["prompt"]
    assert (asked["3"]["inputs"]["seed"], asked["5"]["inputs"]["width"]) == (1, 64)


@pytest.mark.parametrize(
    ("prompt", "options", "sentence"),
    [
        ("  ", {}, "Tell me what to draw"),
        ("x" * 21, {"max_prompt_chars": 20}, "21 characters; I draw what fits into 20"),
        ("a cat", {"workflow": False}, "names no workflow file"),
    ],
)
async def test_what_cannot_be_drawn_never_reaches_the_server(
    bench: Bench, prompt: str, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(StudioError, match=sentence):
        await draw(bench.studio(**options), prompt)
    assert bench.server.requests == []


async def test_drawings_that_are_too_many_are_refused(bench: Bench) -> None:
    studio = bench.studio(max_waiting=1)
    bench.server.script(on="/prompt", hang_after=0)
    first = asyncio.create_task(draw(studio))
    await bench.server.wait_for(lambda request: request.path == "/prompt")
    with pytest.raises(StudioError, match=r"1 drawing\(s\) are waiting"):
        await draw(studio)
    first.cancel()
    await asyncio.wait([first])


async def test_drawings_that_are_too_many_at_the_same_moment_are_refused_too(bench: Bench) -> None:
    studio = bench.studio(max_waiting=2)
    drawn = await asyncio.gather(*(draw(studio) for _ in range(5)), return_exceptions=True)
    assert [isinstance(one, StudioError) for one in drawn].count(True) == 3
    assert [request.path for request in bench.server.requests].count("/prompt") == 2


@pytest.mark.parametrize("history", [{"status": None}, {"outputs": {"9": None}}, {"status": {"messages": [1]}}])
async def test_a_history_that_tells_nothing_keeps_nobody_waiting(bench: Bench, history: dict[str, Any]) -> None:
    studio = bench.studio(max_waiting=1)
    for _ in range(2):  # and its place in line is free again
        bench.server.script(on="/prompt", history=history)
        async with asyncio.timeout(5):
            with pytest.raises(StudioError, match="without a picture"):
                await draw(studio)


async def test_a_lock_stops_the_drawing_under_way_at_the_server_too(bench: Bench) -> None:
    studio = bench.studio()
    bench.server.script(on="/prompt", hang_after=1)
    drawing = asyncio.create_task(draw(studio))
    await bench.server.wait_for(lambda request: request.path == "/prompt")
    await asyncio.sleep(0.1)
    bench.hub.publish(FeatureLocked("vision", "s1", "a voice session"))  # another feature's lock is not its business
    await bench.hub.settle()
    assert not drawing.done()
    bench.hub.publish(FeatureLocked(DRAWING, "s1", "a voice session"))
    with pytest.raises(StudioError, match="needs the machine now"):
        await drawing
    await bench.server.wait_for(lambda request: request.path == "/interrupt")


async def test_a_lock_that_comes_while_the_workflow_is_read_keeps_the_server_untouched(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = bench.studio()

    def read(path: Path) -> dict[str, Any]:
        bench.locked = True
        return json.loads(path.read_text(encoding="utf-8"))

    monkeypatch.setattr("core.studio.studio.read_workflow", read)
    with pytest.raises(StudioError, match="needs the machine now"):
        await draw(studio)
    assert bench.server.requests == []


async def test_closing_the_studio_stops_what_is_drawn(bench: Bench) -> None:
    studio = bench.studio()
    bench.server.script(on="/prompt", hang_after=1)
    drawing = asyncio.create_task(draw(studio))
    await bench.server.wait_for(lambda request: request.path == "/prompt")
    await asyncio.sleep(0.1)
    await studio.close()
    with pytest.raises(StudioError, match="being stopped myself"):
        await drawing
    assert "/interrupt" in [request.path for request in bench.server.requests]


async def test_a_drawing_too_large_to_upload_is_made_smaller_and_renamed(bench: Bench) -> None:
    out = io.BytesIO()
    Image.frombytes("RGB", (200, 200), os.urandom(200 * 200 * 3)).save(out, "PNG")
    studio = bench.studio()
    drawing = Drawing(out.getvalue(), "parley_1_.png")
    assert await studio.fitted(drawing, 10**6) == (drawing.data, "parley_1_.png")
    data, name = await studio.fitted(drawing, 50_000)
    assert (len(data) <= 50_000, name, sniff(data)) == (True, "parley_1_.jpeg", "image/jpeg")


async def test_several_files_share_the_number_of_pictures(
    bench: Bench, gif: bytes, picture: Callable[..., bytes]
) -> None:
    studio = bench.studio()
    assert len(await studio.look([gif])) == 4
    assert len(await studio.look([gif, gif])) == 4
    assert len(await studio.look([picture()] * 6)) == 4
