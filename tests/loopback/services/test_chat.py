from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import openai
import pytest

from loopback.services.chat import Chat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HELLO = [{"role": "user", "content": "Ada: I baked rye bread."}]


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with Chat() as service:
        service.always(pace_s=0)
        yield service


@pytest.fixture
async def client(chat: Chat) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=chat.base_url, api_key="none", max_retries=0, timeout=30) as made:
        yield made


async def streamed(client: openai.AsyncOpenAI, **changes: object) -> list[str]:
    stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True, **changes)
    return [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]


async def test_a_stream_and_a_whole_answer_say_the_same(client: openai.AsyncOpenAI) -> None:
    pieces = await streamed(client)
    whole = await client.chat.completions.create(model="m", messages=HELLO)
    assert "".join(pieces) == whole.choices[0].message.content
    assert "rye bread" in "".join(pieces).casefold()
    assert len(pieces) > 5
    assert whole.usage is not None
    assert whole.usage.completion_tokens > 5


async def test_the_stream_comes_token_by_token_at_its_pace(chat: Chat, client: openai.AsyncOpenAI) -> None:
    chat.script(text="one two three", pace_s=0.05)
    assert [piece for piece in await streamed(client) if piece] == ["one", " two", " three"]
    recorded = await chat.wait_for(lambda recorded: recorded.ended_s is not None)
    assert recorded.sent == 3
    assert recorded.ended_s is not None
    assert recorded.ended_s - recorded.at_s >= 2 * 0.05


async def test_usage_comes_when_asked_for(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="m", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    last = [chunk async for chunk in stream][-1]
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.total_tokens > 0


async def test_stop_strings_and_token_limits_are_kept(chat: Chat, client: openai.AsyncOpenAI) -> None:
    chat.script(text="one two END three", times=2)
    assert "".join(await streamed(client, stop=["END"])) == "one two "
    cut = await client.chat.completions.create(model="m", messages=HELLO, max_tokens=2)
    assert cut.choices[0].message.content == "one two"
    assert cut.choices[0].finish_reason == "length"


async def test_exact_deltas_survive_writes_at_odd_places(chat: Chat, client: openai.AsyncOpenAI) -> None:
    chat.script(deltas=("<thi", "nk>hm</th", "ink>", "Grüße 🙂"), split_bytes=7)
    assert [piece for piece in await streamed(client) if piece] == ["<thi", "nk>hm</th", "ink>", "Grüße 🙂"]


async def test_reasoning_comes_in_its_own_field(chat: Chat, client: openai.AsyncOpenAI) -> None:
    chat.script(text="Yes.", reasoning="let me think")
    stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream if chunk.choices]
    thought = "".join(getattr(chunk.choices[0].delta, "reasoning_content", None) or "" for chunk in chunks)
    assert thought == "let me think"


async def test_azure_paths_need_an_api_version_and_take_the_key_in_their_header() -> None:
    async with Chat(models=["my-deployment"], api_key="k") as chat:
        chat.always(pace_s=0)
        async with openai.AsyncAzureOpenAI(
            azure_endpoint=chat.url, api_key="k", api_version="2024-10-21", max_retries=0
        ) as client:
            stream = await client.chat.completions.create(model="my-deployment", messages=HELLO, stream=True)
            text = "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])
        assert "rye bread" in text.casefold()
        assert chat.requests[0].path == "/openai/deployments/my-deployment/chat/completions"
        assert chat.requests[0].query["api-version"] == "2024-10-21"
        assert chat.requests[0].headers["api-key"] == "k"


async def test_keys_and_models_are_checked() -> None:
    async with Chat(models=["small"], api_key="right") as chat:
        async with openai.AsyncOpenAI(base_url=chat.base_url, api_key="wrong", max_retries=0) as client:
            with pytest.raises(openai.AuthenticationError):
                await client.models.list()
            with pytest.raises(openai.AuthenticationError):
                await streamed(client)
        async with openai.AsyncOpenAI(base_url=chat.base_url, api_key="right", max_retries=0) as client:
            assert [model.id async for model in client.models.list()] == ["small"]
            with pytest.raises(openai.NotFoundError, match="`m` does not exist"):
                await streamed(client)


async def test_pictures_are_recorded(chat: Chat, client: openai.AsyncOpenAI) -> None:
    url = "data:image/png;base64," + base64.b64encode(b"\x89PNG...").decode()
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": content}])
    assert "picture" in (answer.choices[0].message.content or "")
    assert [(picture.media_type, picture.data) for picture in chat.pictures] == [("image/png", b"\x89PNG...")]


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, openai.AuthenticationError), (429, openai.RateLimitError), (500, openai.InternalServerError)],
)
async def test_one_scripted_error_hits_one_request(
    chat: Chat, client: openai.AsyncOpenAI, status: int, error: type[Exception]
) -> None:
    chat.script(status=status, headers={"Retry-After": "1"})
    with pytest.raises(error):
        await streamed(client)
    assert "".join(await streamed(client))


async def test_a_script_for_models_leaves_completions_alone(chat: Chat, client: openai.AsyncOpenAI) -> None:
    chat.script(on="/v1/models", status=500)
    assert "".join(await streamed(client))
    with pytest.raises(openai.InternalServerError):
        await client.models.list()


async def test_a_connection_cut_or_garbage_mid_stream_reaches_the_client(
    chat: Chat, client: openai.AsyncOpenAI
) -> None:
    chat.script(cut_after=2)
    with pytest.raises(openai.APIConnectionError):
        await streamed(client)
    chat.script(garbage_after=2, garbage=b"data: {no json\n\n")
    with pytest.raises(ValueError, match="Expecting"):
        await streamed(client)
    chat.script(refuse=True)
    with pytest.raises(openai.APIConnectionError):
        await streamed(client)


@pytest.mark.parametrize("fault", [{"silent": True}, {"hang_after": 0}, {"hang_after": 3}])
async def test_a_hang_lasts_until_the_client_goes_and_the_server_notices(
    chat: Chat, client: openai.AsyncOpenAI, fault: dict[str, object]
) -> None:
    chat.script(**fault)
    task = asyncio.create_task(streamed(client))
    await chat.wait_for(lambda recorded: recorded.sent == (3 if fault.get("hang_after") else 0))
    assert not task.done()
    task.cancel()
    recorded = await chat.wait_for(lambda recorded: recorded.disconnected)
    assert recorded.ended_s is not None


async def test_closing_does_not_wait_for_a_hanging_request(chat: Chat, client: openai.AsyncOpenAI) -> None:
    chat.script(hang_after=1)
    task = asyncio.create_task(streamed(client))
    await chat.wait_for(lambda recorded: recorded.sent == 1)
    async with asyncio.timeout(30):
        await chat.close()
    with pytest.raises(openai.APIConnectionError):
        await task


async def test_a_restart_keeps_the_port(chat: Chat, client: openai.AsyncOpenAI) -> None:
    await chat.close()
    with pytest.raises(openai.APIConnectionError):
        await streamed(client)
    await chat.start()
    assert "".join(await streamed(client))
