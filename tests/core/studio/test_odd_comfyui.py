"""ComfyUI servers as people really have them: behind proxies and keys, with nodes of other people, and several pictures."""

from __future__ import annotations

from typing import Any

import pytest

from core.config.studio import ComfySection
from core.errors import StudioError
from core.studio.comfyui import Drawing
from core.studio.outputs import chosen
from core.studio.workflow import fill
from loopback.services.comfyui import ComfyUI as Server
from tests.core.studio.test_comfyui import WISH, WORKFLOW, ComfyUI, draw

MASK: dict[str, Any] = {
    "1": {"class_type": "SolidMask", "inputs": {"value": 1.0, "width": 8, "height": 8}},
    "2": {"class_type": "MaskToImage", "inputs": {"mask": ["1", 0]}},
}
SAVED_MASK = {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "aside"}}


def client(server: Server, url: str = "", environ: dict[str, str] | None = None, **changes: Any) -> ComfyUI:
    section = ComfySection(url=url or f"{server.url}{server.prefix}", connect_timeout_s=20, timeout_s=60, **changes)
    return ComfyUI(section, environ)


async def drawn(comfyui: ComfyUI, asked: dict[str, Any] | None = None) -> Drawing:
    *_, drawing = await draw(comfyui, asked)
    assert isinstance(drawing, Drawing)
    return drawing


@pytest.mark.parametrize("end", ["", "/", "?token=secret", "/?token=secret"])
async def test_below_a_path_and_with_a_query(end: str) -> None:
    async with Server(prefix="/tools/comfy") as server:
        comfyui = client(server, f"{server.url}/tools/comfy{end}")
        await comfyui.check()
        await drawn(comfyui)
        assert all(request.path.startswith("/tools/comfy/") for request in server.requests)
        assert all(request.query.get("token") == ("secret" if "token" in end else None) for request in server.requests)
        assert comfyui.address == f"{server.url.removeprefix('http://')}/tools/comfy"


async def test_headers_and_keys_go_with_every_request_the_socket_too() -> None:
    async with Server(demands={"Authorization": "Bearer key", "X-Site": "me"}) as server:
        headers = {"X-Site": "me"}
        section = {"headers": headers, "header_env": {"Authorization": "COMFY_KEY"}}
        await drawn(client(server, environ={"COMFY_KEY": "Bearer key"}, **section))
        url = server.url.replace("://", "://ada:pass@")  # both at once: the header says it
        await drawn(client(server, url, {"COMFY_KEY": "Bearer key"}, **section))
        with pytest.raises(StudioError, match=r"does not let me in \(status 401\).*header_env"):
            await draw(client(server, headers=headers))


async def test_user_and_password_of_the_address_are_sent_and_never_shown() -> None:
    async with Server(demands={"Authorization": "Basic YWRhOnMzY3JldA=="}) as server:
        url = server.url.replace("://", "://ada:s3cret@")
        comfyui = client(server, url)
        await drawn(comfyui)
        server.demands = {"Authorization": "another"}
        with pytest.raises(StudioError) as refused:
            await draw(comfyui)
    with pytest.raises(StudioError) as down:
        await draw(client(server, url))
    for told in (str(refused.value), str(down.value), comfyui.address, repr(ComfySection(url=url))):
        assert "s3cret" not in told
        assert "ada" not in told


async def test_nulls_in_history_and_queue() -> None:
    async with Server() as server:
        server.always(on="/prompt", nulls=True, history_after_s=0.2)
        await drawn(client(server))
        server.script(on="/prompt", cut_after=1, history_after_s=0.2)
        await drawn(client(server))
        server.script(on="/prompt", cut_after=1, fails="boom")
        with pytest.raises(StudioError, match=r"failed in node 3 \(KSampler\): RuntimeError"):
            await draw(client(server))


@pytest.mark.parametrize("status", [200, 400, 404, 426])
async def test_a_server_whose_socket_cannot_be_reached_draws_all_the_same(status: int) -> None:
    async with Server() as server:
        server.script(on="/ws", status=status)
        await drawn(client(server))


async def test_a_socket_that_says_nothing_does_not_keep_anybody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.studio.comfyui.SILENCE_S", 0.2)
    async with Server() as server:
        server.script(on="/prompt", mute=True)
        await drawn(client(server))
        server.script(on="/prompt", mute=True, fails="boom")
        with pytest.raises(StudioError, match=r"failed in node 3 \(KSampler\): RuntimeError"):
            await draw(client(server))


@pytest.mark.parametrize("name", ["gifs", "videos"])
async def test_an_animation_is_a_picture_too(name: str) -> None:
    async with Server() as server:
        server.script(on="/prompt", gives=name)
        await drawn(client(server))


@pytest.mark.parametrize("mask_last", [False, True])
async def test_a_mask_that_is_saved_too_is_not_the_picture(mask_last: bool) -> None:
    nodes = fill(WORKFLOW, WISH)
    asked = {**nodes, **MASK, "20": SAVED_MASK} if mask_last else {**MASK, "20": SAVED_MASK, **nodes}
    async with Server() as server:
        assert not (await drawn(client(server), asked)).name.startswith("aside")
        assert (await drawn(client(server, output_node="20"), asked)).name.startswith("aside")
        with pytest.raises(StudioError, match="no picture from node 77; check output_node"):
            await draw(client(server, output_node="77"), asked)


def saved(*names: str, kind: str = "output") -> dict[str, Any]:
    return {"images": [{"filename": name, "subfolder": "", "type": kind} for name in names]}


@pytest.mark.parametrize(
    ("outputs", "name"),
    [
        ({"1": saved("a_mask_1.png"), "2": saved("b")}, "b"),
        ({"1": saved("small"), "2": saved("upscaled")}, "upscaled"),
        ({"1": saved("kept"), "2": saved("preview", kind="temp")}, "kept"),
        ({"1": saved("first", "second")}, "first"),
        ({"1": saved("a.png"), "2": {"gifs": saved("b.mp4")["images"]}}, "a.png"),
        ({"1": {"gifs": saved("b.mp4")["images"]}}, "b.mp4"),
        ({"1": None, "2": {"images": None}, "3": {"images": [None, {"filename": None}]}}, None),
        (None, None),
    ],
)
def test_which_picture_is_chosen(outputs: Any, name: str | None) -> None:
    found = chosen({"outputs": outputs}, {})
    assert (found and found["filename"]) == name
