"""Drawing, against a server that speaks ComfyUI's protocol."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from core.config.studio import ComfySection
from core.errors import StudioError
from core.studio.comfyui import ComfyUI, Drawing, Progress
from core.studio.media_type import sniff
from core.studio.workflow import Wish, fill
from loopback.services.comfyui import ComfyUI as Server
from tests.comfy_workflow import workflow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WISH = Wish("a cat", 7, 64, 64)
WORKFLOW = workflow()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server() as server:
        yield server


def client(server: Server, **changes: Any) -> ComfyUI:
    return ComfyUI(ComfySection(url=server.url, **{"connect_timeout_s": 20, "timeout_s": 60, **changes}))


async def draw(comfyui: ComfyUI, asked: dict[str, Any] | None = None) -> list[Progress | Drawing]:
    async with aclosing(comfyui.draw(asked or fill(WORKFLOW, WISH))) as told:
        return [progress async for progress in told]


def paths(server: Server) -> list[str]:
    return [f"{request.method} {request.path}" for request in server.requests]


async def test_a_drawing_tells_its_progress_and_ends_in_the_picture(server: Server) -> None:
    *progress, drawing = await draw(client(server))
    assert [step for step in progress if isinstance(step, Progress) and step.steps] == [
        Progress(step, 4) for step in (1, 2, 3, 4)
    ]
    assert isinstance(drawing, Drawing)
    assert sniff(drawing.data) == "image/png"
    asked = next(request.json for request in server.requests if request.path == "/prompt")
    assert asked["prompt"]["6"]["inputs"]["text"] == "a cat"
    assert asked["prompt"]["3"]["inputs"]["seed"] == 7
    assert "POST /interrupt" not in paths(server)


async def test_a_socket_that_breaks_does_not_lose_the_drawing(server: Server) -> None:
    server.script(on="/prompt", cut_after=2)
    *_, drawing = await draw(client(server))
    assert isinstance(drawing, Drawing)


async def test_a_picture_whose_end_is_told_before_it_is_in_the_history_is_waited_for(server: Server) -> None:
    server.script(on="/prompt", history_after_s=0.3)
    *_, drawing = await draw(client(server))
    assert isinstance(drawing, Drawing)


async def test_a_failure_after_the_socket_broke_is_still_told(server: Server) -> None:
    server.script(on="/prompt", cut_after=1, fails="boom")
    with pytest.raises(StudioError, match=r"failed in node 3 \(KSampler\): RuntimeError"):
        await draw(client(server))


async def test_giving_up_a_drawing_stops_the_server(server: Server) -> None:
    server.script(on="/prompt", hang_after=1)
    comfyui = client(server)
    async with aclosing(comfyui.draw(fill(WORKFLOW, WISH))) as told:
        async for progress in told:
            if progress == Progress(1, 4):
                break
    await server.wait_for(lambda request: request.path == "/interrupt")
    *_, drawing = await draw(comfyui)  # the line is free again
    assert isinstance(drawing, Drawing)


async def test_cancelling_a_drawing_stops_the_server_before_the_cancellation_is_over(server: Server) -> None:
    server.script(on="/prompt", hang_after=1)
    drawing = asyncio.create_task(draw(client(server)))
    await server.wait_for(lambda request: request.path == "/prompt")
    await asyncio.sleep(0.1)
    drawing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drawing
    assert "POST /interrupt" in paths(server)


async def test_a_drawing_cancelled_while_it_is_being_queued_is_stopped_too(server: Server) -> None:
    server.script(on="/prompt", delay_s=0.3, hang_after=1)
    drawing = asyncio.create_task(draw(client(server)))
    await server.wait_for(lambda request: request.path == "/prompt")
    drawing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drawing
    assert paths(server)[-1] in ("POST /interrupt", "POST /queue")
    *_, drawn = await draw(client(server))  # the line is free
    assert isinstance(drawn, Drawing)


async def test_giving_up_a_drawing_that_waits_in_line_does_not_touch_the_one_at_work(server: Server) -> None:
    server.script(on="/prompt", pace_s=0.2)
    first = asyncio.create_task(draw(client(server)))
    await server.wait_for(lambda request: request.path == "/prompt")
    second = asyncio.create_task(draw(client(server)))
    await server.wait_for(lambda _: paths(server).count("POST /prompt") == 2)
    await asyncio.sleep(0.1)
    second.cancel()
    await asyncio.wait([second])
    *_, drawing = await first
    assert isinstance(drawing, Drawing)
    assert "POST /interrupt" not in paths(server)
    assert len(server.history) == 1


async def test_a_drawing_that_takes_too_long_is_stopped(server: Server) -> None:
    server.script(on="/prompt", hang_after=0)
    with pytest.raises(StudioError, match=r"not ready within 0.4 s, so I stopped it"):
        await draw(client(server, timeout_s=0.4))
    assert "POST /interrupt" in paths(server)


async def test_a_server_that_is_down_is_named(server: Server) -> None:
    address = server.url.removeprefix("http://")
    await server.close()
    with pytest.raises(StudioError, match=f"ComfyUI at {address} cannot be reached"):
        await draw(client(server))
    with pytest.raises(StudioError, match="cannot be reached"):
        await client(server).check()


@pytest.mark.parametrize(
    ("path", "fault", "sentence"),
    [
        ("/ws", {"status": 503}, "answered with status 503"),
        ("/ws", {"silent": True}, "did not answer within 0.3 s"),
        ("/prompt", {"status": 500}, "answered with status 500"),
        ("/prompt", {"silent": True}, "did not answer within 0.3 s"),
        ("/prompt", {"refuse": True}, "cannot be reached"),
        ("/prompt", {"fails": "CUDA out of memory"}, "the graphics memory is full"),
        ("/prompt", {"no_picture": True}, "ended without a picture"),
        ("/view", {"status": 404}, "answered with status 404"),
    ],
)
async def test_each_fault_is_one_sentence(server: Server, path: str, fault: dict[str, Any], sentence: str) -> None:
    server.script(on=path, **fault)
    with pytest.raises(StudioError, match=sentence) as caught:
        await draw(client(server, connect_timeout_s=0.3 if "within" in sentence else 20))
    assert "\n" not in caught.value.sentence
    assert len([task for task in asyncio.all_tasks() if "comfyui" in task.get_name()]) == 0


@pytest.mark.parametrize(
    ("node", "change", "sentence"),
    [
        ("4", {"inputs": {"ckpt_name": "none.safetensors"}}, "node 4, CheckpointLoaderSimple: Value not in list"),
        ("6", {"inputs": {"text": "x"}}, "node 6, CLIPTextEncode: Required input is missing"),
        ("6", {"class_type": "FancyNode"}, "FancyNode"),
        ("9", {"class_type": "VAEDecode", "inputs": WORKFLOW["8"]["inputs"]}, "Prompt has no outputs"),
    ],
)
async def test_a_broken_workflow_names_its_node(
    server: Server, node: str, change: dict[str, Any], sentence: str
) -> None:
    asked = fill(WORKFLOW, WISH)
    asked[node] = {**asked[node], **change}
    with pytest.raises(StudioError, match=sentence):
        await draw(client(server), asked)
    assert server.history == {}


async def test_a_drawing_interrupted_by_somebody_else_says_so(server: Server) -> None:
    server.script(on="/prompt", hang_after=1)
    drawing = asyncio.create_task(draw(client(server)))
    await server.wait_for(lambda request: request.path == "/prompt")
    await asyncio.sleep(0.1)
    server.interrupted.set()
    with pytest.raises(StudioError, match="was interrupted"):
        await drawing
    assert "POST /interrupt" not in paths(server)
