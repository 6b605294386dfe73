"""Files and fine-tuning jobs of the chat stand-in, through the openai SDK, OpenAI's paths and Azure's."""

from __future__ import annotations

import json

import openai
import pytest

from loopback.services.chat import Chat

GOOD = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}
PAIR = {
    "input": {"messages": [{"role": "user", "content": "hi"}]},
    "preferred_output": [{"role": "assistant", "content": "hello"}],
    "non_preferred_output": [{"role": "assistant", "content": "go away"}],
}


def lines(item: dict, count: int = 10) -> bytes:
    return "".join(json.dumps(item) + "\n" for _ in range(count)).encode()


def client_of(chat: Chat, kind: str) -> openai.AsyncOpenAI:
    if kind == "azure":
        return openai.AsyncAzureOpenAI(azure_endpoint=chat.url, api_version="2024-10-21", api_key="k", max_retries=0)
    return openai.AsyncOpenAI(base_url=chat.base_url, api_key="k", max_retries=0)


@pytest.mark.parametrize("kind", ["openai", "azure"])
async def test_a_job_goes_through_its_states_and_ends_with_a_model(kind):
    async with Chat() as chat, client_of(chat, kind) as client:
        file = await client.files.create(file=("train.jsonl", lines(GOOD)), purpose="fine-tune")
        job = await client.fine_tuning.jobs.create(
            model="small", training_file=file.id, suffix="s", metadata={"mark": "7"}
        )
        seen = [job.status]
        while seen[-1] != "succeeded":
            job = await client.fine_tuning.jobs.retrieve(job.id)
            seen.append(job.status)
        assert seen == ["validating_files", "queued", "running", "running", "succeeded"]
        assert job.fine_tuned_model.startswith("ft:small:loopback:s:")
        events = await client.fine_tuning.jobs.list_events(job.id, limit=1)
        assert events.data[0].message == "The job has successfully completed"
        assert [each.id async for each in client.fine_tuning.jobs.list(metadata={"mark": "7"})] == [job.id]
        assert [each.id async for each in client.fine_tuning.jobs.list(metadata={"mark": "8"})] == []
        assert (await client.files.delete(file.id)).deleted
        assert (chat.tuning.files, chat.tuning.deleted) == ({}, [file.id])
        with pytest.raises(openai.NotFoundError, match="No such File"):
            await client.files.delete(file.id)


async def test_preferences_are_a_method_of_their_own():
    async with Chat() as chat, client_of(chat, "openai") as client:
        file = await client.files.create(file=("pairs.jsonl", lines(PAIR)), purpose="fine-tune")
        with pytest.raises(openai.BadRequestError, match="Invalid file format for method supervised"):
            await client.fine_tuning.jobs.create(model="small", training_file=file.id)
        job = await client.fine_tuning.jobs.create(model="small", training_file=file.id, method={"type": "dpo"})
        assert job.status == "validating_files"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "File is empty"),
        (b"{}\n", "Line 1 has unexpected keys"),
        (b"nonsense\n", "Line 1 is not valid JSON"),
        (lines(GOOD, 1) + b'{"messages": [{"role": "user", "content": "hi"}]}\n', "Line 2 must end with a message"),
        (b'{"messages": [{"role": "wizard", "content": "hi"}]}\n', "unknown role 'wizard'"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
async def test_a_file_that_is_no_training_data_is_refused_with_words(data, words):
    async with Chat() as chat, client_of(chat, "openai") as client:
        with pytest.raises(openai.BadRequestError, match=words):
            await client.files.create(file=("train.jsonl", data), purpose="fine-tune")


async def test_jobs_fail_are_held_and_cancelled_and_a_server_may_have_none():
    async with Chat(api_key="k") as chat, client_of(chat, "openai") as client:
        few = await client.files.create(file=("few.jsonl", lines(GOOD, 3)), purpose="fine-tune")
        with pytest.raises(openai.BadRequestError, match="at least 10 examples"):
            await client.fine_tuning.jobs.create(model="small", training_file=few.id)
        file = await client.files.create(file=("train.jsonl", lines(GOOD)), purpose="fine-tune")
        chat.tuning.fails = "The job failed for safety reasons."
        job = await client.fine_tuning.jobs.create(model="small", training_file=file.id)
        for _ in range(4):
            job = await client.fine_tuning.jobs.retrieve(job.id)
        assert (job.status, job.error.message) == ("failed", "The job failed for safety reasons.")
        chat.tuning.held, chat.tuning.fails = True, ""
        job = await client.fine_tuning.jobs.create(model="small", training_file=file.id)
        for _ in range(6):
            held = await client.fine_tuning.jobs.retrieve(job.id)
        assert held.status == "running"
        assert (await client.fine_tuning.jobs.cancel(job.id)).status == "cancelled"
        with pytest.raises(openai.BadRequestError, match="already completed"):
            await client.fine_tuning.jobs.cancel(job.id)
        chat.tuning.offered = False
        with pytest.raises(openai.NotFoundError, match="Unknown request URL"):
            await client.files.create(file=("train.jsonl", lines(GOOD)), purpose="fine-tune")
        chat.tuning.offered = True
        chat.script(on="/fine_tuning/jobs", status=403, error="Missing scopes: model.request")
        with pytest.raises(openai.PermissionDeniedError, match="Missing scopes"):
            await client.fine_tuning.jobs.create(model="small", training_file=file.id)
        with pytest.raises(openai.AuthenticationError):
            await client.with_options(api_key="other").files.create(file=("a", lines(GOOD)), purpose="fine-tune")
