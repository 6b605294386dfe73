"""Servers that keep to the format more or less: the person gets the words, or the right words about what went wrong."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from core.errors import ModelError
from core.llm.alternating import alternate
from core.llm.events import EventReader
from core.llm.messages import ChatMessage
from core.llm.models import Models
from loopback.services.chat import Chat
from tests.core.llm.asking import HELLO, KEY, answer, complaint, route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOISE = b"retry: 3000\n\n: a comment\n\nid: 7\n: another\n\ndata:\n\ndata: \n\nevent: ping\ndata: {}\n\nevent: x\n\n"


@pytest.fixture
async def asked_once(chat: Chat) -> AsyncIterator[Models]:
    made = Models({"default": route(chat, max_tokens=200)}, environ={"KEY": KEY})
    yield made
    await made.close()


def sent(chat: Chat, field: str) -> list[Any]:
    return [recorded.json.get(field) for recorded in chat.requests]


# Events


@pytest.mark.parametrize(
    "shape",
    [
        {"noise": NOISE},
        {"noise": NOISE, "line_end": b"\r\n"},
        {"line_end": b"\r\n", "split_bytes": 1},
        {"line_end": b"\r", "split_bytes": 3, "noise": NOISE},
        {"opening": b"\xef\xbb\xbf"},
        {"opening": b"\n\n: OPENROUTER PROCESSING\n\n"},
        {"done": False},
        {"finish_reason": None},
        {"event_end": b"\n"},
        {"answer_type": "application/json"},
        {"answer_type": "text/plain"},
        {"answer_type": "text/html", "split_bytes": 1},
        {"parts": True},
        {"whole": True},
        {"whole": True, "answer_type": "text/event-stream"},
        {"whole": True, "answer_type": "text/html", "parts": True},
        {"reasoning": "hm, let me see", "thoughts": "reasoning"},
        {"reasoning": "hm, let me see", "thoughts": "parts", "parts": True},
        {"whole": True, "reasoning": "hm, let me see"},
    ],
)
async def test_the_words_are_taken_from_any_shape(chat: Chat, models: Models, shape: dict[str, Any]) -> None:
    chat.script(text="Rye bread, äh, 🥖 smells good.", **shape)
    assert await answer(models) == "Rye bread, äh, 🥖 smells good."


def test_events_are_the_same_however_their_bytes_are_cut() -> None:
    stream = (
        b"\xef\xbb\xbf" + NOISE.replace(b"\n", b"\r\n") + 'data: {"a": "ü"}\r\rdata: 1\ndata: 2\n\nerror: x\n'.encode()
    )
    results = set()
    for cut in range(1, len(stream)):
        reader = EventReader()
        events = [*reader.feed(stream[:cut]), *reader.feed(stream[cut:]), *reader.flush()]
        results.add(tuple((event.name, event.data) for event in events))
    assert results == {(("ping", "{}"), ("", '{"a": "ü"}'), ("", "1\n2"), ("error", "x"))}


def delta(content: Any, finish_reason: Any = None, **more: Any) -> str:
    choice = {"index": 0, "delta": {"content": content, **more}, "finish_reason": finish_reason}
    return f"data: {json.dumps({'choices': [choice]})}\n\n"


@pytest.mark.parametrize(
    "events",
    [
        delta(4) + delta("2.") + delta(None, "stop"),
        delta("42.", {"type": "stop"}),
        delta("42.", finish_reason=True),
        delta("42.", "null") + delta("", "stop"),
        delta("hm", extra_content={"google": {"thought": True}}) + delta("42.", "stop"),
        delta([None, {"type": "text", "content": "42."}], "stop"),
        'data: {"choices":[null]}\n\n' + delta("42.", "stop"),
        'data: {"choices":[{"index":1,"delta":{"content":"X"}}]}\n\n' + delta("42.", "stop"),
        'data: {"choices":[{"index":0,"delta":null}]}\n\n' + delta("42.", "stop"),
        'data: "ping"\n\n' + delta("42.", "stop"),
        delta("42.") + "data: [done]\n\n",
        delta("42.") + "event: done\ndata: {}\n\n",
        " Data: " + delta("42.", "stop").removeprefix("data: "),
        json.dumps([{"choices": [{"message": {"content": "42."}, "finish_reason": "stop"}]}]),
    ],
)
async def test_the_words_are_taken_from_events_of_any_shape(chat: Chat, models: Models, events: str) -> None:
    chat.script(body=events.encode(), answer_type="text/event-stream")
    assert await answer(models) == "42."


def test_an_event_without_an_end_is_given_up() -> None:
    reader = EventReader()
    with pytest.raises(ValueError, match="too large"):
        for _ in range(300):
            reader.feed(b"data: " + b"x" * 2**16)


@pytest.mark.parametrize("halves", [("\ud83e", "\udd56"), ("Rye \ud83e", "\udd56 bread")])
async def test_an_emoji_cut_in_two_is_whole_again(chat: Chat, models: Models, halves: tuple[str, str]) -> None:
    chat.script(deltas=halves)
    assert await answer(models) == "".join(halves).encode("utf-16", "surrogatepass").decode("utf-16")


async def test_a_lone_half_is_replaced(chat: Chat, models: Models) -> None:
    chat.script(deltas=("a\ud83e", "b\udd56c", "d\ud83e"))
    assert await answer(models) == "a\ufffdb\ufffdcd\ufffd"


async def test_halves_in_names_and_prompts_do_not_stop_a_prompt(chat: Chat, models: Models) -> None:
    prompt = [ChatMessage("user", "Hi \udd56", name="Ada\ud83e")]
    assert "".join([text async for text in models.stream(prompt)])
    assert chat.prompts[0][0]["content"] == "Ada\ufffd: Hi \ufffd"


# Answers that are not complete


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ends_after": 2}, "broke in the middle of the answer"),
        ({"cut_after": 2}, "broke in the middle of the answer"),
        ({"finish_reason": "length"}, "was cut off, because it reached its limit of length"),
        ({"finish_reason": "content_filter"}, "content filter of the model m cut its answer off"),
        ({"finish_reason": "error"}, "reported an error while it answered"),
        (
            {"garbage_after": 2, "garbage": b'error: {"code": 500, "message": "boom"}\n\n'},
            "The answer breaks off here: the model server",
        ),
        ({"garbage_after": 2, "garbage": b'data: {"error": "boom"}\n\n'}, "reported an error while it answered"),
        ({"garbage_after": 2, "garbage": b"event: error\ndata: boom\n\n"}, "reported an error while it answered"),
        ({"garbage_after": 2, "garbage": b'{"error": {"message": "boom"}}\n'}, "reported an error while it answered"),
        (
            {"garbage_after": 2, "garbage": b'data: {"error": {"code": "insufficient_quota", "message": "x"}}\n\n'},
            "has no credit left",
        ),
    ],
)
async def test_a_torn_answer_keeps_its_words_and_tells_why(
    chat: Chat, models: Models, changes: dict[str, Any], words: str
) -> None:
    chat.script(text="One two <three", **changes)
    said: list[str] = []
    with pytest.raises(ModelError) as caught:
        async for text in models.stream(HELLO):
            said.append(text)  # noqa: PERF401 - what came before the error counts
    whole = "ends_after" in changes or "cut_after" in changes or "garbage" in changes
    assert "".join(said).startswith("One two" if whole else "One two <three")
    assert words in caught.value.sentence
    assert caught.value.spoken
    assert await answer(models)


async def test_an_answer_that_our_own_stop_string_ends_is_complete(chat: Chat, models: Models) -> None:
    chat.script(deltas=("Yes. STOP", " and"), finish_reason="length")
    assert await answer(models, stop=["STOP"]) == "Yes. "


async def test_a_refusal_is_shown_as_what_it_is(chat: Chat, models: Models) -> None:
    chat.script(text="", refusal="I will not\nbake that.")
    chat.script(text="", refusal="I will not bake that.", whole=True)
    for _ in range(2):
        assert await complaint(models) == "The model m refused to answer this: “I will not bake that.”."


# Refusals


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 429, "error_code": "insufficient_quota"}, "has no credit left (429); whoever runs this bot"),
        ({"status": 402, "error": "Insufficient Balance"}, "has no credit left (402)"),
        ({"status": 403, "error": "Your credit balance is too low"}, "has no credit left (403)"),
        ({"status": 400, "error": "Invalid model name passed in model=m."}, "does not know the model m"),
        ({"status": 400, "error": "API key not valid. Please pass a valid API key."}, "refused the key (400)"),
        ({"status": 413}, "too long for the model m (413)"),
        ({"status": 400, "error_code": "content_filter"}, "content filter of the model m refused to answer this (400)"),
        ({"status": 400, "error_code": "model_not_found"}, "does not know the model m"),
        ({"status": 429, "headers": {"Retry-After": "60"}}, "(429); try again in about 60 seconds"),
        ({"status": 429, "headers": {"Retry-After": "soon"}}, "(429); try again in a moment"),
        ({"status": 429, "headers": {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}}, "hours"),
        ({"status": 429, "headers": {"Retry-After": "9" * 400}}, "in about 168 hours"),
        ({"status": 503, "headers": {"Retry-After": "600"}}, "(503); try again in about 10 minutes"),
        ({"status": 529, "error": "overloaded_error"}, "no capacity left for us right now (529)"),
        ({"status": 502, "body": b"<html>nginx</html>"}, "fault of its own (502)"),
        ({"body": b"<!DOCTYPE html><title>Log in</title>"}, "sent a web page"),
        ({"body": b"\n\n  <html>", "answer_type": "text/event-stream"}, "sent a web page"),
        (
            {"status": 302, "headers": {"Location": "https://u:secret@login.example/?t=secret"}},
            "sends us on to https://lo",
        ),
        ({"status": 307, "headers": {"Location": "/login"}}, "sends us on (307)"),
        ({"body": b'{"error": {"code": 429, "message": "rate"}}'}, "no capacity left for us right now (429)"),
        ({"body": b'{"error": {"code": "401"}}', "answer_type": "application/json"}, "refused the key (401)"),
        ({"body": b'{"object": "error", "message": "x", "code": 404}'}, "does not know the model m"),
        ({"body": b'{"detail": "Not Found"}'}, "no chat answer"),
        ({"body": b"[]"}, "no chat answer"),
        ({"body": b'{"message": "Unauthorized", "code": 401}'}, "refused the key (401)"),
        ({"body": b'[{"error": {"code": 400, "message": "API key not valid"}}]'}, "refused the key (400)"),
        ({"body": b"data: error: out of credit\n\n", "answer_type": "text/event-stream"}, "no credit left"),
        ({"body": b'{"choices": [{"message": {}, "finish_reason": "tool_calls"}]}'}, "wanted to use a tool"),
        ({"status": 429, "error": "You have reached your specified API usage limits."}, "no credit left (429)"),
        ({"status": 400, "error": "Budget has been exceeded! Current cost: 10"}, "no credit left (400)"),
        ({"status": 400, "error": "Authentication Error, LiteLLM Virtual Key expected."}, "refused the key (400)"),
        ({"status": 400, "error": "No connected db.", "error_code": "no_db_connection"}, "refused the key (400)"),
        ({"status": 401, "error_code": "token_not_found_in_db"}, "refused the key (401)"),
        ({"status": 500, "error": "litellm.AuthenticationError: invalid x-api-key"}, "refused the key (500)"),
        ({"status": 400, "error": "x is not a valid model ID"}, "does not know the model m"),
        ({"body": b"", "answer_type": "text/event-stream"}, "ended its answer before it had begun"),
    ],
)
async def test_the_right_words_for_each_refusal(chat: Chat, models: Models, fault: dict[str, Any], words: str) -> None:
    chat.script(times=2, **fault)
    said = await complaint(models)
    assert words in said
    assert "secret" not in said


async def test_no_quota_is_not_asked_for_again(chat: Chat) -> None:
    models = Models({"default": route(chat, retries=3)}, environ={})
    chat.script(status=429, error_code="insufficient_quota")
    await complaint(models)
    assert len(chat.requests) == 1
    await models.close()


async def test_a_redirect_takes_no_header_of_ours_along(chat: Chat) -> None:
    async with Chat() as other:
        models = Models({"default": route(chat, extra_headers={"X-Key": "mine"})}, environ={"KEY": KEY})
        chat.script(status=307, headers={"Location": f"{other.base_url}/chat/completions"})
        assert other.url in await complaint(models)
        await models.close()
        assert other.requests == []


@pytest.mark.parametrize(
    ("refused", "given"),
    [
        (("max_tokens",), {"max_completion_tokens": 200, "temperature": 0.5, "stop": ["END"]}),
        (("temperature",), {"max_tokens": 200, "stop": ["END"]}),
        (("max_tokens", "temperature", "stop"), {"max_completion_tokens": 200}),
    ],
)
async def test_a_field_that_the_model_does_not_take_is_told_once(
    chat: Chat, refused: tuple[str, ...], given: dict[str, Any]
) -> None:
    models = Models({"default": route(chat, max_tokens=200, temperature=0.5, stop=("END",))}, environ={})
    chat.always(unsupported=refused, text="Yes. END no")
    for _ in range(2):
        assert await answer(models) == "Yes. "
    await models.close()
    assert len(chat.requests) == len(refused) + 2
    last = chat.requests[-1].json
    assert {
        key: last.get(key) for key in ("max_tokens", "max_completion_tokens", "temperature", "stop") if key in last
    } == given


async def test_the_route_may_say_how_the_limit_is_called(chat: Chat) -> None:
    models = Models({"default": route(chat, max_tokens=200, limit_key="max_completion_tokens")}, environ={})
    chat.always(unsupported=("max_tokens",))
    await answer(models)
    assert sent(chat, "max_completion_tokens") == [200]
    chat.always(unsupported=("max_completion_tokens",))
    assert "does not take max_completion_tokens (400)" in await complaint(models)
    await models.close()


async def test_a_server_that_takes_neither_name_is_not_asked_for_ever(chat: Chat, asked_once: Models) -> None:
    chat.always(unsupported=("max_tokens", "max_completion_tokens"))
    assert "does not take max_completion_tokens" in await complaint(asked_once)
    assert len(chat.requests) == 2


async def test_a_prompt_that_is_too_long_is_cut_and_sent_once_more(chat: Chat) -> None:
    models = Models({"default": route(chat, context_tokens=100_000, max_tokens=50)}, environ={})
    chat.always(context_tokens=1000)
    prompt = [HELLO[0], *(ChatMessage(("user", "assistant")[n % 2], f"{n} blah" * 40) for n in range(200)), HELLO[1]]
    for _ in range(2):
        assert "".join([text async for text in models.stream(prompt)])
    await models.close()
    assert len(chat.requests) == 3  # the second prompt is cut at once
    assert chat.prompts[-1][-1]["content"] == "Ada: I baked rye bread."
    assert chat.prompts[-1][0]["role"] == "system"


async def test_a_prompt_that_stays_too_long_is_told(chat: Chat, models: Models) -> None:
    chat.always(context_tokens=1)
    prompt = [ChatMessage("user", "blah " * 2000)]
    with pytest.raises(ModelError, match="too long for the model m"):
        async for _ in models.stream(prompt):
            pass
    assert len(chat.requests) == 2


# Roles


@pytest.mark.parametrize("system_role", [True, False])
async def test_strict_templates_take_every_prompt(chat: Chat, models: Models, system_role: bool) -> None:
    chat.always(strict_roles=True, system_role=system_role)
    broken = [
        ChatMessage("assistant", "Hello."),
        ChatMessage("user", "One", name="Ada"),
        ChatMessage("system", "Be brief."),
        ChatMessage("user", "Two", name="Ben"),
        ChatMessage("assistant", " "),
        ChatMessage("assistant", "Three."),
        ChatMessage("assistant", "Four."),
        *HELLO,
    ]
    assert "".join([text async for text in models.stream(broken)])
    told = chat.prompts[-1]
    system = "Be brief.\n\nYou are Parley."
    turns = ["Ada: One\nBen: Two", "Three.\nFour.", "Ada: I baked rye bread."]
    if system_role:
        assert [message["content"] for message in told] == [system, *turns]
    else:
        assert [message["content"] for message in told] == [f"{system}\n\n{turns[0]}", *turns[1:]]
        assert await answer(models)
        assert len(chat.requests) == 3  # what was learned is known


def test_any_conversation_ends_in_the_one_form() -> None:
    rng = random.Random(7)
    roles = ("system", "user", "assistant")
    for _ in range(2000):
        given = [
            ChatMessage(rng.choice(roles), rng.choice(("x", " ", "")), rng.choice((None, "Ada")))
            for _ in range(rng.randrange(9))
        ]
        for system_role in (True, False):
            told = [message.role for message in alternate([*given, HELLO[1]], system_role=system_role)]
            if system_role and told[0] == "system":
                del told[0]
            assert told == [("user", "assistant")[place % 2] for place in range(len(told))]
            assert told[-1] == "user"


# Thoughts


@pytest.mark.parametrize(
    ("answered", "words"),
    [
        ({"text": "Let me see.\n</think>\n\nYes."}, "Yes."),
        ({"text": "Yes.", "reasoning": "Let me see."}, "Yes."),
        ({"text": "Yes.", "reasoning": "Let me see.", "thoughts": "reasoning"}, "Yes."),
    ],
)
async def test_a_route_whose_answers_begin_inside_a_thought(chat: Chat, answered: dict[str, Any], words: str) -> None:
    models = Models({"default": route(chat, reasoning="starts_inside")}, environ={})
    chat.script(**answered)
    assert await answer(models) == words
    chat.script(text="Let me see, this goes on")
    assert "it only thought, and said nothing" in await complaint(models)
    await models.close()


async def test_a_thought_that_was_spoken_is_told_in_the_log(
    chat: Chat, models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    chat.script(text="Let me see.\n</think>\n\nYes.")
    await answer(models)
    assert 'set reasoning = "starts_inside"' in caplog.text


async def test_a_thought_is_spoken_once_and_the_next_one_is_not(chat: Chat, models: Models) -> None:
    chat.script(text="Let me see.\n</think>\n\nYes.")
    await answer(models)
    chat.script(text="Let me see again.\n</think>\n\nNo.")
    assert await answer(models) == "No."
    chat.script(text="This one has no thought.")
    assert await answer(models) == "This one has no thought."
    chat.script(deltas=("At ", "once."))
    assert [text async for text in models.stream(HELLO)] == ["At ", "once."]


async def test_an_answer_that_explains_thoughts_is_whole(chat: Chat, models: Models) -> None:
    text = "Models think between <think> and </think>; `<|im_end|>` ends a turn. [THINK] is Mistral's."
    chat.script(deltas=tuple(text))
    assert await answer(models) == text
