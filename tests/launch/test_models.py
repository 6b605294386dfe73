"""`launcher.py models`: a model is fetched whole or not at all, from a hub on localhost, and removed."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FILES = {"config.json": b"{}", "model.bin": b"m" * 300_000, "tokenizer.json": b"{}", "vocabulary.txt": b"a\nb\n"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """As much of the model hub as its client asks for."""

    def __init__(self) -> None:
        self.files = dict(FILES)
        self.asked: list[str] = []
        self.url = ""

    async def info(self, request: web.Request) -> web.Response:
        self.asked.append(request.match_info["name"])
        if request.match_info["name"] != "faster-whisper-base":
            return web.json_response({"error": "Repository not found"}, status=404)
        siblings = [{"rfilename": name, "size": len(data)} for name, data in self.files.items()]
        return web.json_response({"id": "Systran/faster-whisper-base", "sha": COMMIT, "siblings": siblings})

    async def tree(self, request: web.Request) -> web.Response:
        return web.json_response([{"type": "file", "path": n, "size": len(d), "oid": n} for n, d in self.files.items()])

    async def file(self, request: web.Request) -> web.Response:
        data = self.files.get(request.match_info["file"])
        if data is None:
            return web.Response(status=404, headers={"X-Error-Code": "EntryNotFound"})
        tag = hashlib.sha256(data).hexdigest()
        return web.Response(body=data, headers={"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT})


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    made = Hub()
    app = web.Application()
    app.add_routes(
        [
            web.get("/api/models/Systran/{name}", made.info),
            web.get("/api/models/Systran/{name}/revision/{revision}", made.info),
            web.get("/api/models/Systran/{name}/tree/{revision}", made.tree),
            web.get("/Systran/{name}/resolve/{revision}/{file}", made.file),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
def settings(desk, tmp_path):
    file = tmp_path / "hearing.toml"
    file.write_text(f"[hearing.whisper]\nfolder = {json.dumps(str(tmp_path / 'models'))}\n", encoding="utf-8")
    return file


async def run(desk, settings, hub: Hub, *arguments: str):
    ended = await desk.run("models", "--config", str(settings), *arguments, HF_ENDPOINT=hub.url, HF_HUB_DISABLE_XET="1")
    assert "Traceback" not in ended.out + ended.err
    return ended


async def test_a_model_is_fetched_listed_and_removed(desk, settings, hub, tmp_path):
    fetched = await run(desk, settings, hub, "get", "base")
    assert fetched.code == 0, fetched.err
    folder = tmp_path / "models" / "base"
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == FILES
    assert "%|" in fetched.err, "a bar"
    again = await run(desk, settings, hub, "get", "base")
    assert again.code == 1
    assert "is there already" in again.err
    assert "  base  0 MB" in (await run(desk, settings, hub)).out
    assert (await run(desk, settings, hub, "remove", "base")).code == 0
    assert not folder.exists()


async def test_a_model_that_is_not_whole_never_takes_its_place(desk, settings, hub, tmp_path):
    del hub.files["tokenizer.json"]
    ended = await run(desk, settings, hub, "get", "base")
    assert ended.code == 1
    assert "tokenizer.json is missing" in ended.err
    assert not (tmp_path / "models" / "base").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("get", "gigantic"), "No model is known as gigantic; known are: tiny, tiny.en"),
        (("get", "small"), "Systran/faster-whisper-small cannot be reached, or has no such model"),
        (("get", "../../etc"), "is no name of a model"),
        (("remove", ".."), "is no name of a model"),
        (("remove", "base"), "There is no model base"),
    ],
)
async def test_what_goes_wrong_is_told_in_a_sentence(desk, settings, hub, arguments, told):
    ended = await run(desk, settings, hub, *arguments)
    assert ended.code == 1
    assert told in ended.err


async def test_the_list_says_whether_the_model_that_comes_along_is_the_published_one(desk, settings, hub):
    ended = await run(desk, settings, hub, "list")
    assert ended.code == 0
    assert "tiny.en  installed with Parley, verified" in ended.out
    assert hub.asked == []


async def test_the_doctor_says_whether_people_can_be_heard(desk, settings):
    ended = await desk.run("doctor", "--config", str(settings), token="")
    assert "✓ hearing: whisper tiny.en (on this machine)" in ended.out
    settings.write_text('[hearing]\nengine = "whisper"\nmodel = "small"\n', encoding="utf-8")
    ended = await desk.run("doctor", "--config", str(settings), token="")
    assert "✗ hearing" in ended.out
    assert "launcher.py models get small" in ended.out
