from __future__ import annotations

import asyncio
import copy
import io
import struct
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from PIL import Image

from loopback.services.comfyui import ComfyUI
from tests.comfy_workflow import workflow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WORKFLOW = workflow("a lighthouse", negative="", seed=5, width=96, height=64)


@pytest.fixture
async def comfy() -> AsyncIterator[ComfyUI]:
    async with ComfyUI() as service:
        service.always(pace_s=0.001)
        yield service


@pytest.fixture
async def session(comfy: ComfyUI) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(comfy.url) as made:
        yield made


def changed(node: str, **inputs: Any) -> dict[str, Any]:
    other = copy.deepcopy(WORKFLOW)
    other[node]["inputs"].update(inputs)
    return other


async def queue(session: aiohttp.ClientSession, asked: Any = WORKFLOW, client_id: str = "me") -> tuple[int, Any]:
    async with session.post("/prompt", json={"prompt": asked, "client_id": client_id}) as response:
        return response.status, await response.json()


async def told(socket: aiohttp.ClientWebSocketResponse, last: str) -> tuple[list[tuple[str, Any]], list[bytes]]:
    messages: list[tuple[str, Any]] = []
    previews: list[bytes] = []
    async with asyncio.timeout(30):
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                previews.append(message.data)
                continue
            messages.append((message.json()["type"], message.json()["data"]))
            kind, data = messages[-1]
            if kind == last or (last == "end" and kind == "executing" and data["node"] is None):
                break
    return messages, previews


async def test_a_workflow_is_drawn_and_its_progress_told(comfy: ComfyUI, session: aiohttp.ClientSession) -> None:
    async with session.ws_connect("/ws?clientId=me") as socket:
        status, queued = await queue(session)
        assert status == 200
        messages, previews = await told(socket, "end")
    kinds = [kind for kind, _ in messages if kind != "status"]
    assert messages[0] == ("status", {"status": {"exec_info": {"queue_remaining": 0}}, "sid": "me"})
    assert kinds[:3] == ["execution_start", "execution_cached", "executing"]
    assert kinds[-3:] == ["executed", "execution_success", "executing"]
    steps = [data for kind, data in messages if kind == "progress"]
    assert [(step["value"], step["max"], step["node"]) for step in steps] == [(n, 4, "3") for n in range(1, 5)]
    assert all(data["prompt_id"] == queued["prompt_id"] for kind, data in messages if kind != "status")
    assert len(previews) == 4
    assert struct.unpack(">II", previews[0][:8]) == (1, 2)
    assert Image.open(io.BytesIO(previews[0][8:])).size == (32, 32)

    async with session.get(f"/history/{queued['prompt_id']}") as response:
        entry = (await response.json())[queued["prompt_id"]]
    assert entry["status"]["status_str"] == "success"
    (image,) = entry["outputs"]["9"]["images"]
    async with session.get("/view", params=image) as response:
        assert response.content_type == "image/png"
        picture = Image.open(io.BytesIO(await response.read()))
    picture.load()
    assert picture.size == (96, 64)
    assert "a lighthouse" in picture.text["prompt"]


async def test_another_prompt_gives_another_picture(comfy: ComfyUI, session: aiohttp.ClientSession) -> None:
    async with session.ws_connect("/ws?clientId=me") as socket:
        for asked in (WORKFLOW, changed("6", text="a sheep"), WORKFLOW):
            await queue(session, asked)
            await told(socket, "end")
    first, second, third = (Image.open(io.BytesIO(data)).tobytes() for data in comfy.files.values())
    assert first != second
    assert first == third


@pytest.mark.parametrize(
    ("asked", "kind", "details"),
    [
        (changed("4", ckpt_name="none.safetensors"), "value_not_in_list", "none.safetensors"),
        (changed("8", samples=["6", 0]), "return_type_mismatch", "samples"),
        (changed("8", samples=["99", 0]), "bad_linked_input", "samples"),
        (changed("3", steps="many"), "invalid_input_type", "many"),
        ({**WORKFLOW, "5": {"class_type": "EmptyLatentImage", "inputs": {}}}, "required_input_missing", "width"),
    ],
)
async def test_a_fault_in_a_node_is_named(
    session: aiohttp.ClientSession, asked: dict[str, Any], kind: str, details: str
) -> None:
    status, answer = await queue(session, asked)
    assert status == 400
    assert answer["error"]["type"] == "prompt_outputs_failed_validation"
    (node,) = answer["node_errors"].values()
    assert node["errors"][0]["type"] == kind
    assert details in node["errors"][0]["details"]
    assert node["dependent_outputs"] == ["9"]


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ({"1": {"class_type": "NoSuchNode", "inputs": {}}}, "missing_node_type"),
        ({"1": {"inputs": {}}}, "invalid_prompt"),
        ({"4": WORKFLOW["4"]}, "prompt_no_outputs"),
        ({}, "prompt_no_outputs"),
        ([], "prompt_no_outputs"),
    ],
)
async def test_a_workflow_that_makes_no_sense_is_refused(session: aiohttp.ClientSession, asked: Any, kind: str) -> None:
    status, answer = await queue(session, asked)
    assert (status, answer["error"]["type"]) == (400, kind)


async def test_a_failing_sampler_says_so_and_is_in_the_history(comfy: ComfyUI, session: aiohttp.ClientSession) -> None:
    comfy.script(fails="CUDA out of memory")
    async with session.ws_connect("/ws?clientId=me") as socket:
        _, queued = await queue(session)
        messages, _ = await told(socket, "execution_error")
    assert messages[-1][1]["exception_message"] == "CUDA out of memory"
    assert messages[-1][1]["node_type"] == "KSampler"
    async with session.get(f"/api/history/{queued['prompt_id']}") as response:
        assert (await response.json())[queued["prompt_id"]]["status"]["status_str"] == "error"


async def test_a_hanging_workflow_can_be_interrupted_and_the_next_one_runs(
    comfy: ComfyUI, session: aiohttp.ClientSession
) -> None:
    comfy.script(hang_after=2)
    async with session.ws_connect("/ws?clientId=me") as socket:
        await queue(session)
        _, second = await queue(session)
        await told(socket, "progress")
        async with session.get("/queue") as response:
            state = await response.json()
        assert [entry[1] for entry in state["queue_pending"]] == [second["prompt_id"]]
        await session.post("/interrupt")
        messages, _ = await told(socket, "execution_interrupted")
        assert messages[-1][1]["node_id"] == "3"
        messages, _ = await told(socket, "end")
        assert messages[-1][1]["prompt_id"] == second["prompt_id"]


async def test_a_queued_workflow_can_be_taken_back(comfy: ComfyUI, session: aiohttp.ClientSession) -> None:
    comfy.script(hang_after=0)
    await queue(session)
    _, second = await queue(session)
    await session.post("/queue", json={"delete": [second["prompt_id"]]})
    async with session.get("/queue") as response:
        assert (await response.json())["queue_pending"] == []


async def test_a_cut_socket_leaves_the_picture_to_the_history(comfy: ComfyUI, session: aiohttp.ClientSession) -> None:
    comfy.script(cut_after=1)
    async with session.ws_connect("/ws?clientId=me") as socket:
        _, queued = await queue(session)
        messages, _ = await told(socket, "end")
        assert messages[-1][0] != "executing" or messages[-1][1]["node"] is not None
    await comfy.wait_for(lambda _: queued["prompt_id"] in comfy.history)
    assert comfy.history[queued["prompt_id"]]["outputs"]["9"]["images"]


async def test_errors_too_large_a_picture_and_none_at_all(comfy: ComfyUI, session: aiohttp.ClientSession) -> None:
    comfy.script(status=500)
    assert (await queue(session))[0] == 500
    comfy.script(padding=9_000_000)
    comfy.script(no_picture=True)
    async with session.ws_connect("/ws?clientId=me") as socket:
        await queue(session)
        await told(socket, "end")
        _, queued = await queue(session)
        await told(socket, "end")
    assert max(map(len, comfy.files.values())) > 9_000_000
    assert comfy.history[queued["prompt_id"]]["outputs"]["9"]["images"] == []


async def test_memory_is_freed_and_shown(comfy: ComfyUI, session: aiohttp.ClientSession) -> None:
    await session.post("/free", json={"unload_models": True, "free_memory": True})
    assert comfy.freed == [{"unload_models": True, "free_memory": True}]
    async with session.get("/system_stats") as response:
        assert (await response.json())["devices"][0]["vram_total"] > 0
    async with session.get("/object_info") as response:
        assert (await response.json())["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0]
    async with session.get("/view?filename=none.png") as response:
        assert response.status == 404
    async with session.get("/history/none") as response:
        assert await response.json() == {}


async def test_closing_drops_a_hanging_workflow(comfy: ComfyUI, session: aiohttp.ClientSession) -> None:
    comfy.script(hang_after=0)
    await queue(session)
    async with asyncio.timeout(30):
        await comfy.close()
