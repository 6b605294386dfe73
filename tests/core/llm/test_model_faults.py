from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from core.config.model import ModelSection
from core.errors import ModelError
from core.llm.messages import ChatMessage
from core.llm.models import Models
from core.llm.routes import Route
from tests.core.llm.asking import HELLO, KEY, answer, complaint, route

if TYPE_CHECKING:
    from loopback.services.chat import Chat


async def test_not_reachable(chat: Chat, models: Models) -> None:
    await chat.close()
    assert await complaint(models) == (
        f"The model server at {chat.url} cannot be reached; check that it runs and that the route's base_url is right."
    )


async def test_a_server_that_drops_the_connection(chat: Chat, models: Models) -> None:
    chat.script(refuse=True)
    assert "cannot be reached" in await complaint(models)


@pytest.mark.parametrize("fault", [{"silent": True}, {"hang_after": 0}])
async def test_silence_until_the_first_token(chat: Chat, fault: dict[str, Any]) -> None:
    models = Models({"default": route(chat, first_token_timeout_s=1.5)}, environ={})
    chat.script(**fault)
    assert await complaint(models) == f"The model m at {chat.url} did not begin to answer within 1.5 seconds."
    await chat.wait_for(lambda recorded: recorded.disconnected)
    assert await answer(models)
    await models.close()


async def test_a_thought_counts_as_a_beginning(chat: Chat) -> None:
    models = Models({"default": route(chat, first_token_timeout_s=2, total_timeout_s=60)}, environ={})
    chat.script(text="Yes.", reasoning="let me think about this for a while", pace_s=0.35)
    assert await answer(models) == "Yes."
    await models.close()


async def test_an_answer_that_takes_too_long_keeps_what_came(chat: Chat) -> None:
    models = Models({"default": route(chat, total_timeout_s=3)}, environ={})
    chat.script(text="One two three.", hang_after=2)
    stream = models.stream(HELLO)
    assert [await anext(stream), await anext(stream)] == ["One", " two"]
    with pytest.raises(ModelError, match=r"took longer than 3 seconds"):
        await anext(stream)
    await chat.wait_for(lambda recorded: recorded.disconnected)
    await models.close()


async def test_an_answer_that_trickles_is_cut_off_too(chat: Chat) -> None:
    models = Models({"default": route(chat, total_timeout_s=0.3)}, environ={})
    chat.script(text="One two three four five. " * 20, pace_s=0.03)
    said = await complaint(models)
    assert "took longer than 0.3 seconds" in said
    await models.close()


async def test_a_slow_reader_does_not_use_up_the_models_time(chat: Chat) -> None:
    models = Models({"default": route(chat, total_timeout_s=2)}, environ={})
    chat.script(text="One two three four five.")
    said = []
    async for text in models.stream(HELLO):
        await asyncio.sleep(0.5)
        said.append(text)
    assert "".join(said) == "One two three four five."
    await models.close()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "refused the key (401); set the right one as KEY"),
        (403, "refused the key (403)"),
        (404, "does not know the model m; check model and base_url of the route 'default'"),
        (429, "has no capacity left for us right now (429)"),
        (500, "has a fault of its own (500)"),
        (503, "has a fault of its own (503)"),
        (400, "did not accept the request (400)"),
    ],
)
async def test_refusals_by_status(chat: Chat, models: Models, status: int, words: str) -> None:
    chat.script(status=status, error=f"your key {KEY} is no good")
    assert words in await complaint(models)
    assert await answer(models)


async def test_a_missing_key_is_named_before_anything_is_sent() -> None:
    models = Models({"default": Route("default", "gpt", api_key_env="OPENAI_API_KEY")}, environ={})
    assert "set OPENAI_API_KEY in the environment or in .env" in await complaint(models)
    assert "OPENAI_API_KEY" in (await models.check()).problem


@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.parametrize(
    "garbage",
    [b"data: {no json\n\n", b"data: \xff\xfe\n\n", b'data: {"choices": 5}\n\n', b"data: 7\n\n", b"data: null\n\n"],
)
async def test_garbage_in_the_stream(chat: Chat, models: Models, garbage: bytes, after: int) -> None:
    chat.script(garbage_after=after, garbage=garbage)
    assert await complaint(models) == (
        f"The model server at {chat.url} sent something that is no chat answer; check the route's base_url."
    )
    assert await answer(models)


async def test_an_error_event_in_the_stream(chat: Chat, models: Models) -> None:
    chat.script(garbage_after=2, garbage=b'data: {"error": {"message": "CUDA out of memory"}}\n\n')
    assert "reported an error while it answered" in await complaint(models)


async def test_a_connection_cut_in_the_middle(chat: Chat, models: Models) -> None:
    chat.script(cut_after=2)
    assert (
        await complaint(models)
        == f"The connection to the model server at {chat.url} broke in the middle of the answer."
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"text": ""}, "gave an empty answer"),
        ({"text": "  \n "}, "gave an empty answer"),
        ({"text": "<think>only thoughts</think>"}, "gave an empty answer"),
        ({"text": "", "finish_reason": "content_filter"}, "content filter"),
        ({"text": "<think>long", "finish_reason": "length"}, "used up its max_tokens"),
    ],
)
async def test_an_answer_without_words(chat: Chat, models: Models, changes: dict[str, Any], words: str) -> None:
    chat.script(**changes)
    assert words in await complaint(models)


async def test_a_web_page_instead_of_a_model(chat: Chat) -> None:
    models = Models({"default": route(chat, base_url=chat.url)}, environ={})  # /v1 forgotten
    assert "does not know the model" in await complaint(models)
    await models.close()


# Tries


async def test_passing_faults_are_tried_again_before_the_first_token(chat: Chat) -> None:
    models = Models({"default": route(chat, retries=2)}, environ={})
    chat.script(status=503)
    chat.script(cut_after=0)
    assert await answer(models)
    assert len(chat.requests) == 3
    await models.close()


async def test_tries_are_bounded(chat: Chat) -> None:
    models = Models({"default": route(chat, retries=1)}, environ={})
    chat.always(status=429)
    assert "(429)" in await complaint(models)
    assert len(chat.requests) == 2
    await models.close()


@pytest.mark.parametrize(
    "fault", [{"status": 401}, {"status": 404}, {"cut_after": 2}, {"status": 429, "headers": {"Retry-After": "60"}}]
)
async def test_what_would_end_the_same_is_not_tried_again(chat: Chat, fault: dict[str, Any]) -> None:
    models = Models({"default": route(chat, retries=3)}, environ={})
    chat.script(**fault)
    assert "did not begin" not in await complaint(models)  # which would mean that it waited
    assert len(chat.requests) == 1
    await models.close()


# Cancelling


async def test_cancelling_the_reader_ends_the_request_at_the_server(chat: Chat, models: Models) -> None:
    chat.script(hang_after=3)
    task = asyncio.create_task(answer(models))
    await chat.wait_for(lambda recorded: recorded.sent == 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await chat.wait_for(lambda recorded: recorded.disconnected)
    assert await answer(models)


async def test_closing_the_stream_ends_the_request_at_the_server(chat: Chat, models: Models) -> None:
    chat.script(hang_after=3)
    stream = models.stream(HELLO)
    await anext(stream)
    await stream.aclose()
    await chat.wait_for(lambda recorded: recorded.disconnected)


async def test_many_prompts_at_once_do_not_mix(chat: Chat, models: Models) -> None:
    async def ask(number: int) -> str:
        prompt = [ChatMessage("user", f"Tell me about llama{number}s")]
        return "".join([text async for text in models.stream(prompt)])

    answers = await asyncio.gather(*(ask(number) for number in range(10)))
    assert all(f"llama{number}s" in text.casefold() for number, text in enumerate(answers))


async def test_a_key_of_openai_is_never_sent_to_another_server(chat: Chat) -> None:
    chat.api_key = "another"
    section = ModelSection.model_validate({"routes": {"default": {"model": "m", "base_url": chat.base_url}}})
    models = Models(section.routes, environ={"OPENAI_API_KEY": "sk-secret"})
    assert "name the variable that holds it as api_key_env of 'default'" in await complaint(models)
    assert "sk-secret" not in str([request.headers for request in chat.requests])
    await models.close()
