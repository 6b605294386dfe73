"""The fine-tuning half of an OpenAI-style server: files, jobs that go through their states, events, and how they fail.

Wire format: OpenAI's `/v1/files` and `/v1/fine_tuning/jobs`; Azure serves the same below `/openai`, with `api-version`.
A job takes one step each time it is looked at, unless it is held.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

STEPS: Final = ("validating_files", "queued", "running", "running", "succeeded")
OVER: Final = ("succeeded", "failed", "cancelled")
LEAST_EXAMPLES: Final = 10
ROLES: Final = ("system", "user", "assistant")
EVENTS: Final = {
    "validating_files": "Validating training file",
    "queued": "Files validated, moving job to queued state",
    "running": "Fine-tuning job started",
    "succeeded": "The job has successfully completed",
    "cancelled": "Fine-tuning job cancelled",
}


class TuningError(Exception):
    """A request that OpenAI would refuse, with its status and words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass(slots=True)
class UploadedFile:
    """A file that was sent."""

    id: str
    name: str
    purpose: str
    data: bytes

    def to_json(self) -> dict[str, Any]:
        """As OpenAI answers it."""
        about = {"id": self.id, "object": "file", "bytes": len(self.data), "created_at": int(time.time())}
        return about | {"filename": self.name, "purpose": self.purpose, "status": "processed"}


@dataclass(slots=True)
class TuningJob:
    """A job on its way."""

    id: str
    model: str
    training_file: str
    validation_file: str | None
    suffix: str
    method: dict[str, Any]
    metadata: dict[str, str]
    step: int = 0
    status: str = "validating_files"
    error: str = ""
    events: list[str] = field(default_factory=lambda: ["Created fine-tuning job", EVENTS["validating_files"]])

    @property
    def tuned(self) -> str | None:
        """The name of the model that came of it."""
        return f"ft:{self.model}:loopback:{self.suffix}:{self.id[-4:]}" if self.status == "succeeded" else None

    def to_json(self) -> dict[str, Any]:
        """As OpenAI answers it."""
        error = {"code": "job_failed", "message": self.error, "param": None} if self.error else None
        return {
            "object": "fine_tuning.job",
            "id": self.id,
            "model": self.model,
            "created_at": int(time.time()),
            "finished_at": int(time.time()) if self.status in OVER else None,
            "fine_tuned_model": self.tuned,
            "organization_id": "org-loopback",
            "result_files": [],
            "status": self.status,
            "validation_file": self.validation_file,
            "training_file": self.training_file,
            "hyperparameters": {"n_epochs": "auto"},
            "trained_tokens": 1000 if self.status == "succeeded" else None,
            "error": error,
            "seed": 1,
            "metadata": self.metadata,
            "method": self.method,
        }


class Tuning:
    """Files and jobs of one server.

    Attributes:
        offered: Whether there is any fine-tuning at all.
        held: Whether jobs stay where they are once they run.
        fails: What a job says as it fails, in its running state; empty: it succeeds.
    """

    def __init__(self) -> None:
        self.files: dict[str, UploadedFile] = {}
        self.deleted: list[str] = []
        self.jobs: dict[str, TuningJob] = {}
        self.offered = True
        self.held = False
        self.fails = ""
        self._serial = 0

    def add_file(self, name: str, purpose: str, data: bytes) -> UploadedFile:
        """Take a file; one for fine-tuning is looked through as OpenAI does.

        Raises:
            TuningError: A line of it is none.
        """
        if purpose == "fine-tune":
            check_lines(data)
        kept = UploadedFile(self._id("file"), name, purpose, data)
        self.files[kept.id] = kept
        return kept

    def file(self, file_id: str) -> UploadedFile:
        """A file.

        Raises:
            TuningError: There is none.
        """
        if file_id not in self.files:
            raise TuningError(404, f"No such File object: {file_id}")
        return self.files[file_id]

    def delete_file(self, file_id: str) -> dict[str, Any]:
        """Delete a file."""
        del self.files[self.file(file_id).id]
        self.deleted.append(file_id)
        return {"id": file_id, "object": "file", "deleted": True}

    def create(self, asked: dict[str, Any]) -> TuningJob:
        """Begin a job.

        Raises:
            TuningError: It has no such file, or too few examples.
        """
        training = self.file(asked["training_file"])
        lines = [line for line in training.data.splitlines() if line.strip()]
        if len(lines) < LEAST_EXAMPLES:
            raise TuningError(
                400, f"Training file has {len(lines)} example(s), but must have at least {LEAST_EXAMPLES} examples"
            )
        validation = asked.get("validation_file")
        if validation is not None:
            self.file(validation)
        method = asked.get("method") or {"type": "supervised"}
        preferences = b'"preferred_output"' in lines[0]
        if preferences != (method["type"] == "dpo"):
            raise TuningError(400, f"Invalid file format for method {method['type']}.")
        job = TuningJob(
            self._id("ftjob"),
            asked["model"],
            training.id,
            validation,
            asked.get("suffix") or "",
            method,
            asked.get("metadata") or {},
        )
        self.jobs[job.id] = job
        return job

    def look(self, job_id: str) -> TuningJob:
        """A job as it is now; the next look finds it a step further.

        Raises:
            TuningError: There is none.
        """
        if job_id not in self.jobs:
            raise TuningError(404, f"Could not find fine tune: {job_id}")
        job = self.jobs[job_id]
        if job.status in OVER or (self.held and job.status == "running"):
            return job
        if job.status == "running" and self.fails:
            self._move(job, "failed")
            return job
        job.step = min(job.step + 1, len(STEPS) - 1)
        if STEPS[job.step] != job.status:
            self._move(job, STEPS[job.step])
        return job

    def cancel(self, job_id: str) -> TuningJob:
        """Cancel a job.

        Raises:
            TuningError: There is none, or it is over.
        """
        if job_id not in self.jobs:
            raise TuningError(404, f"Could not find fine tune: {job_id}")
        job = self.jobs[job_id]
        if job.status in OVER:
            raise TuningError(400, f"Job has already completed: {job_id}")
        self._move(job, "cancelled")
        return job

    def events(self, job_id: str) -> dict[str, Any]:
        """What happened to a job, newest first."""
        told = [
            {
                "object": "fine_tuning.job.event",
                "id": f"ftevent-{job_id}-{number}",
                "created_at": int(time.time()),
                "level": "info",
                "message": message,
                "type": "message",
            }
            for number, message in enumerate(self.jobs[job_id].events)
        ]
        return _page(reversed(told))

    def list(self, metadata: dict[str, str]) -> dict[str, Any]:
        """The jobs that carry these metadata, newest first."""
        found = [job for job in self.jobs.values() if metadata.items() <= job.metadata.items()]
        return _page(job.to_json() for job in reversed(found))

    def _move(self, job: TuningJob, status: str) -> None:
        job.status = status
        job.error = self.fails if status == "failed" else ""
        job.events.append(EVENTS.get(status) or f"The job failed: {self.fails}")

    def _id(self, kind: str) -> str:
        self._serial += 1
        return f"{kind}-loopback{self._serial:04d}"


def check_lines(data: bytes) -> None:
    """Look through a training file: chat or preference lines, with known roles and an answer.

    Raises:
        TuningError: Something is wrong with a line.
    """
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise TuningError(400, "Invalid file format. Input file file is not UTF-8.") from None
    if not any(line.strip() for line in lines):
        raise TuningError(400, "File is empty.")
    for number, line in enumerate(lines, 1):
        where = f"Invalid file format. Line {number}"
        try:
            given = json.loads(line)
        except ValueError:
            raise TuningError(400, f"{where} is not valid JSON.") from None
        if not isinstance(given, dict):
            raise TuningError(400, f"{where} is not an object.")
        if set(given) == {"messages"}:
            _check_messages(given["messages"], where, ends_with="assistant")
        elif set(given) == {"input", "preferred_output", "non_preferred_output"}:
            _check_messages(given["input"].get("messages"), where, ends_with="user")
            for key in ("preferred_output", "non_preferred_output"):
                _check_messages(given[key], where, ends_with="assistant")
        else:
            raise TuningError(400, f"{where} has unexpected keys {sorted(given)}.")


def _check_messages(messages: Any, where: str, *, ends_with: str) -> None:
    if not isinstance(messages, list) or not messages:
        raise TuningError(400, f"{where} needs a list of messages.")
    for message in messages:
        if not isinstance(message, dict) or set(message) - {"role", "content", "name", "weight"}:
            raise TuningError(400, f"{where} has a message with unexpected keys.")
        if message.get("role") not in ROLES:
            raise TuningError(400, f"{where} has the unknown role {message.get('role')!r}.")
        if not isinstance(message.get("content"), str) or not message["content"]:
            raise TuningError(400, f"{where} has a message without content.")
    if messages[-1]["role"] != ends_with:
        raise TuningError(400, f"{where} must end with a message of the {ends_with}.")


def _page(items: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "data": list(items), "has_more": False}
