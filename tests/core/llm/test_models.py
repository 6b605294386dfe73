from __future__ import annotations

import json
import logging
from contextlib import aclosing
from typing import Any

import pytest

from core.config.model import ModelSection
from core.errors import ModelError
from core.llm.messages import ChatMessage, Image
from core.llm.models import Models
from core.llm.routes import Route
from loopback.services.chat import Chat
from tests.core.llm.asking import HELLO, KEY, answer, complaint, route


async def test_text_comes_as_the_model_writes_it(chat: Chat, models: Models) -> None:
    chat.script(text="One two three.", hang_after=2)
    async with aclosing(models.stream(HELLO)) as stream:
        assert await anext(stream) == "One"
        assert await anext(stream) == " two"


async def test_the_prompt_arrives_as_it_was_given(chat: Chat, models: Models) -> None:
    assert "rye bread" in (await answer(models)).casefold()
    assert chat.prompts == [
        [{"role": "system", "content": "You are Parley."}, {"role": "user", "content": "Ada: I baked rye bread."}]
    ]
    assert chat.requests[0].headers["Authorization"] == f"Bearer {KEY}"


async def test_what_the_route_says_is_sent(chat: Chat) -> None:
    models = Models(
        {
            "default": route(
                chat,
                temperature=0.3,
                max_tokens=50,
                stop=("END",),
                extra_body={"top_k": 5},
                extra_headers={"X-Title": "Parley"},
            )
        },
        environ={},
    )
    await answer(models, stop=["###"])
    await answer(models, temperature=0.9)
    await models.close()
    first, second = (recorded.json for recorded in chat.requests)
    assert (first["temperature"], first["max_tokens"], first["stop"], first["top_k"]) == (0.3, 50, ["END", "###"], 5)
    assert second["temperature"] == 0.9
    assert chat.requests[0].headers["X-Title"] == "Parley"


async def test_routes_come_from_the_configuration(chat: Chat) -> None:
    section = ModelSection.model_validate(
        {"routes": {"default": {"model": "m", "base_url": chat.base_url, "stop": ["END"], "api_key_env": "KEY"}}}
    )
    models = Models(section.routes, environ={"KEY": KEY})
    assert await answer(models)
    await models.close()
    assert models.routes["default"].stop == ("END",)


async def test_azure_is_asked_in_its_own_way() -> None:
    async with Chat(models=["deployed"], api_key=KEY) as chat:
        azure = Route(
            "default", "deployed", base_url=chat.url, kind="azure", api_key_env="KEY", api_version="2024-10-21"
        )
        models = Models({"default": azure}, environ={"KEY": KEY})
        assert await answer(models)
        health = await models.check()
        await models.close()
    assert chat.requests[0].path == "/openai/deployments/deployed/chat/completions"
    assert chat.requests[0].query == {"api-version": "2024-10-21"}
    assert (health.ok, health.model_known) == (True, None)


async def test_thoughts_prefixes_and_stop_strings_are_left_out(chat: Chat, models: Models) -> None:
    chat.script(
        deltas=("<th", "ink>hm</thi", "nk>\n\nAss", "istant: Par", "ley: Yes", ", rye. EN", "D and more"),
        reasoning="deep thoughts",
    )
    assert await answer(models, stop=["END"]) == "Yes, rye. "


async def test_a_stop_string_ends_the_request_at_the_server(chat: Chat, models: Models) -> None:
    chat.script(deltas=("Yes. STOP", " more", " and more"), hang_after=2)
    assert await answer(models, stop=["STOP"]) == "Yes. "
    await chat.wait_for(lambda recorded: recorded.disconnected)


async def test_the_persona_of_one_prompt_may_have_another_name(chat: Chat, models: Models) -> None:
    chat.script(text="Grump: No.", times=2)
    assert await answer(models, names=["Grump"]) == "No."
    assert await answer(models) == "Grump: No."


async def test_a_server_that_does_not_stream_is_understood(models: Models, chat: Chat) -> None:
    chat.script(text="All at once.")
    body = models.routes["default"]
    whole = Models({"default": route(chat, extra_body={"stream": False}, model=body.model)}, environ={})
    assert await answer(whole) == "All at once."
    await whole.close()


async def test_pictures_go_to_a_route_that_sees(chat: Chat) -> None:
    models = Models({"default": route(chat), "eyes": route(chat, name="eyes", vision=True)}, environ={})
    prompt = [ChatMessage("user", "What is this?", images=(Image(b"\x89PNG", "image/png"),))]
    assert "picture" in "".join([text async for text in models.stream(prompt, route="eyes")])
    assert [(picture.media_type, picture.data) for picture in chat.pictures] == [("image/png", b"\x89PNG")]
    with pytest.raises(ModelError, match="cannot look at pictures"):
        await anext(models.stream(prompt))
    await models.close()


async def test_a_long_history_is_cut_to_the_context(chat: Chat) -> None:
    models = Models({"default": route(chat, context_tokens=600, max_tokens=100)}, environ={})
    history = [ChatMessage("user" if n % 2 else "assistant", "blah " * 30 + str(n)) for n in range(100)]
    async for _ in models.stream([HELLO[0], *history, HELLO[1]]):
        pass
    await models.close()
    sent = chat.prompts[0]
    assert sent[0]["role"] == "system"
    assert sent[-1]["content"].endswith("rye bread.")
    assert 5 < len(sent) < 20


async def test_the_current_route_answers_when_none_is_named(chat: Chat) -> None:
    models = Models({"default": route(chat), "voice": route(chat, name="voice", model="small")}, environ={})
    assert models.current == "default"
    assert models.use("voice") == "default"
    await answer(models)
    await answer(models, route="default")
    models.use("default")
    await answer(models)
    await models.close()
    assert [recorded.json["model"] for recorded in chat.requests] == ["small", "m", "m"]
    with pytest.raises(ModelError, match="no model route named 'none'; known are: default, voice"):
        models.use("none")
    assert models.current == "default"


async def test_without_routes_the_person_is_told_what_to_do() -> None:
    models = Models({}, environ={})
    assert "add [model.routes.default] to config.toml" in await complaint(models)
    assert not (await models.check()).ok


# Health


async def test_a_healthy_route_tells_its_latency() -> None:
    async with Chat(models=["m:latest", "other"]) as chat:
        models = Models({"default": route(chat)}, environ={})
        health = await models.check("default")
        await models.close()
    assert (health.ok, health.reachable, health.model_known) == (True, True, True)
    assert health.latency_s is not None
    assert health.latency_s > 0


async def test_an_unknown_model_is_named_with_those_that_are_known() -> None:
    async with Chat(models=["small", "large"]) as chat:
        models = Models({"default": route(chat)}, environ={})
        health = await models.check()
        await models.close()
    assert (health.ok, health.reachable, health.model_known) == (False, True, False)
    assert health.problem == f"The model server at {chat.url} does not know the model m; it has: small, large."


@pytest.mark.parametrize(
    ("fault", "ok", "words"),
    [
        ({"status": 404}, True, ""),
        ({"status": 401}, False, "refused the key"),
        ({"status": 500}, False, "fault of its own"),
        ({"refuse": True}, False, "cannot be reached"),
    ],
)
async def test_health_with_faults(chat: Chat, models: Models, fault: dict[str, Any], ok: bool, words: str) -> None:
    chat.script(on="/v1/models", **fault)
    health = await models.check()
    assert health.ok is ok
    assert words in health.problem


async def test_health_of_something_that_is_no_model_server() -> None:
    from loopback.services.hooks import Hooks

    async with Hooks() as page:
        models = Models({"default": Route("default", "m", base_url=page.url, api_key_env="KEY")}, environ={})
        for body, kind in (
            (b"<html>hello</html>", "text/html"),
            (b"[1, 2]", "application/json"),
            (b"{", "application/json"),
        ):
            page.always(body=body, content_type=kind)
            health = await models.check()
            assert not health.ok
            assert health.problem
        assert "no chat answer" in await complaint(models)
        await models.close()


# Secrets


async def test_nothing_secret_is_logged(chat: Chat, models: Models, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    chat.script(status=503, error=f"your key {KEY} is no good")
    await complaint(models)
    await answer(models)
    await models.check()
    assert KEY not in caplog.text


def test_an_address_shows_no_password() -> None:
    made = Route("default", "m", base_url="https://ada:secret@models.example:8443/v1?token=secret")
    assert made.address == "https://models.example:8443"


def test_importing_the_room_does_not_import_the_sdk() -> None:
    import subprocess
    import sys

    code = "import sys, core.llm.models; sys.exit('openai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_question_may_set_a_lower_limit_and_is_told_what_it_cost(chat: Chat) -> None:
    models = Models({"default": route(chat, max_tokens=50)}, environ={})
    spent: list[int] = []
    chat.script(text="Good.")
    await answer(models, max_tokens=20, spent=spent.append)
    chat.script(text="Good.")
    await answer(models, max_tokens=500)
    await models.close()
    first, second = (recorded.json for recorded in chat.requests)
    assert (first["max_tokens"], second["max_tokens"]) == (20, 50)
    assert first["stream_options"] == {"include_usage": True}
    assert "stream_options" not in second
    assert spent == [len(json.dumps(first["messages"])) // 4 + 1]  # as the stand-in counts


@pytest.mark.parametrize(
    "usage", [None, "much", {"total_tokens": "7"}, {"total_tokens": -3}, {"total_tokens": True}, []]
)
async def test_a_count_that_is_none_is_not_believed(chat: Chat, models: Models, usage: Any) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "Good."}, "finish_reason": "stop"}], "usage": usage}
    chat.script(body=f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode(), answer_type="text/event-stream")
    spent: list[int] = []
    assert await answer(models, spent=spent.append) == "Good."
    assert spent == []
