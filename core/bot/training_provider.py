"""Fine-tuning through `client.fine_tuning.jobs` of the openai SDK: OpenAI, Azure, and servers that speak the same."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from core.errors import ModelError
from core.names import shown_text
from core.training.provider import OVER, ProviderError, ProviderJob

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from openai import AsyncOpenAI

    from core.llm.models import Models
    from core.training.provider import JobWish

_log = logging.getLogger(__name__)

TIMEOUT_S = 60.0
UPLOAD_S = 600.0
WORDS = 400  # of a provider's that are shown
MARK = "parley"  # the key of our mark among a job's metadata
UNREACHED = "The provider at {address} cannot be reached just now."
BUSY = "The provider at {address} has no capacity for us right now ({status}){words}"
NO_KEY = "The provider at {address} refuses the key ({status}){words}"
NO_RIGHT = "The key lacks the right to do that at {address} ({status}){words}"
NO_TUNING = "The provider at {address} offers no fine-tuning, or not for this account ({status}){words}"
BROKEN = "The provider at {address} has a fault of its own ({status}){words}"
REFUSED = "The provider at {address} refuses that ({status}){words}"
NONSENSE = "The provider at {address} answered something that is no answer about fine-tuning."


class OpenAIProvider:
    """A `Provider` over the clients of the model routes."""

    def __init__(self, models: Models) -> None:
        self._models = models

    async def upload(self, route: str, name: str, data: bytes) -> str:
        """Send a file of training lines."""
        async with self._asking(route) as client:
            file = await client.files.create(file=(name, data), purpose="fine-tune", timeout=UPLOAD_S)
            return str(file.id)

    async def start(self, route: str, wish: JobWish) -> str:
        """Begin a job."""
        more: dict[str, Any] = {"validation_file": wish.test_file} if wish.test_file else {}
        if wish.method == "dpo":
            more["method"] = {"type": "dpo", "dpo": {"hyperparameters": {}}}
        async with self._asking(route) as client:
            job = await client.fine_tuning.jobs.create(
                model=wish.base,
                training_file=wish.training_file,
                suffix=wish.suffix,
                metadata={MARK: wish.mark},
                timeout=TIMEOUT_S,
                **more,
            )
            return str(job.id)

    async def find(self, route: str, mark: str) -> str | None:
        """The job that carries a mark."""
        async with self._asking(route) as client:
            page = await client.fine_tuning.jobs.list(limit=50, metadata={MARK: mark}, timeout=TIMEOUT_S)
            for job in page.data:  # some servers do not know the filter
                if (job.metadata or {}).get(MARK) == mark:
                    return str(job.id)
        return None

    async def look(self, route: str, job_id: str) -> ProviderJob:
        """How a job is, with the newest of its events."""
        async with self._asking(route) as client:
            job = await client.fine_tuning.jobs.retrieve(job_id, timeout=TIMEOUT_S)
            told = "" if job.status in OVER else await self._newest(client, job_id)
            error = job.error.message if job.error is not None else ""
            return ProviderJob(str(job.id), str(job.status), job.fine_tuned_model or "", told, error or "")

    async def _newest(self, client: AsyncOpenAI, job_id: str) -> str:
        from openai import OpenAIError

        try:
            page = await client.fine_tuning.jobs.list_events(job_id, limit=1, timeout=TIMEOUT_S)
        except OpenAIError as error:  # how the job is was told already
            _log.info("the events of a job cannot be read: %s", type(error).__name__)
            return ""
        return str(page.data[0].message) if page.data else ""

    async def cancel(self, route: str, job_id: str) -> None:
        """End a job."""
        try:
            async with self._asking(route) as client:
                await client.fine_tuning.jobs.cancel(job_id, timeout=TIMEOUT_S)
        except ProviderError:
            if (await self.look(route, job_id)).state not in OVER:
                raise

    async def delete_file(self, route: str, file_id: str) -> None:
        """Delete a file."""
        from openai import NotFoundError

        async with self._asking(route) as client:
            try:
                await client.files.delete(file_id, timeout=TIMEOUT_S)
            except NotFoundError as error:
                if "file" not in _words(error).casefold():
                    raise

    def offer(self, route: str, name: str, model: str) -> bool:
        """Make a model a route; on Azure it must be deployed first, which nobody but its owner can do."""
        base = self._models.routes.get(route)
        if base is None or base.kind == "azure":
            return False
        self._models.add(replace(base, name=name, model=model))
        return True

    @asynccontextmanager
    async def _asking(self, route: str) -> AsyncGenerator[AsyncOpenAI]:
        """The client of a route; what goes wrong is told in the provider's words, without our key in them."""
        try:
            client = await self._models.client(route)
        except ModelError as error:
            raise ProviderError(error.sentence) from error
        from openai import APIStatusError, OpenAIError

        address = self._models.routes[route].address
        try:
            yield client
        except APIStatusError as error:
            raise self._refusal(route, address, error) from self._models.scrubbed(route, error)
        except (OpenAIError, TimeoutError, OSError) as error:
            sentence = UNREACHED.format(address=address)
            raise ProviderError(sentence) from self._models.scrubbed(route, error)
        except (AttributeError, TypeError, ValueError, KeyError, IndexError) as error:  # no JSON, or of another shape
            raise ProviderError(NONSENSE.format(address=address)) from self._models.scrubbed(route, error)

    def _refusal(self, route: str, address: str, error: Any) -> ProviderError:
        status = int(error.status_code)
        key = self._models.key(route)
        words = _words(error)
        words = words.replace(key, "***") if key else words
        sentence = {401: NO_KEY, 403: NO_RIGHT, 404: NO_TUNING, 405: NO_TUNING, 429: BUSY, 501: NO_TUNING}.get(status)
        sentence = sentence or (BROKEN if status >= 500 else REFUSED)
        said = f": “{shown_text(words, WORDS)}”." if words else "."
        told = sentence.format(address=address, status=status, words=said)
        return ProviderError(told, gone=status in (404, 405, 410, 501))


def _words(error: Any) -> str:
    """What a provider says of an error, on one line."""
    body: Any = error.body
    if isinstance(body, dict):
        table = cast("dict[str, Any]", body)
        inner = table.get("error", table)
        said = cast("dict[str, Any]", inner).get("message") if isinstance(inner, dict) else inner
        return " ".join(str(said or "").split())
    text = " ".join(str(body or "").split())
    return "" if text.startswith("<") else text[:WORDS]  # a web page says nothing
