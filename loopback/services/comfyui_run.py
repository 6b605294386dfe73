"""One workflow's way through a ComfyUI stand-in: node by node, told to its client, ending in the history."""

from __future__ import annotations

import asyncio
import json
import struct
import time
import zlib
from dataclasses import dataclass, field
from typing import Any, Protocol

from loopback.services.comfyui_nodes import NODES
from loopback.services.png import png
from loopback.services.service import Behaviour

PREVIEW = struct.pack(">II", 1, 2)  # a preview picture, PNG
SIDE_LIMIT = 512  # pictures are drawn no larger, whatever was asked for
PREVIEW_SIDE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ComfyBehaviour(Behaviour):
    """How one workflow is queued and run. `..._after` count the sampler's steps; a cut drops the WebSocket only."""

    pace_s: float = 0.01  # a step takes
    previews: bool = True
    fails: str = ""  # words of an exception the sampler raises half way
    padding: int = 0  # bytes added to the picture's file, to make it too large
    no_picture: bool = False  # succeeds without giving a file
    history_after_s: float = 0  # from telling how it ended to writing the history; the real server clears memory then
    nulls: bool = (
        False  # null in the history and the queue wherever there is nothing, as nodes of other people leave it
    )
    mute: bool = False  # nothing is told on the WebSocket
    gives: str = "images"  # under which name the files of a node stand; those of other people's have their own
    history: Any = None  # written into the history instead of the truth


@dataclass(slots=True)
class Job:
    """One workflow on its way, with what its client was told."""

    id: str
    number: int
    client_id: str
    workflow: dict[str, Any]
    behaviour: ComfyBehaviour
    executed: list[str] = field(default_factory=list[str])
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])
    messages: list[list[Any]] = field(default_factory=list[list[Any]])

    @property
    def entry(self) -> list[Any]:
        """The job as the queue and the history list it."""
        ends = [node_id for node_id, node in self.workflow.items() if NODES[node["class_type"]].gives_files]
        return [self.number, self.id, self.workflow, {"client_id": self.client_id}, ends]


class WorkflowServer(Protocol):
    """Who runs workflows: where files and history go, and who is told."""

    files: dict[str, bytes]
    history: dict[str, dict[str, Any]]
    interrupted: asyncio.Event

    def note(self) -> None:
        """Wake up whoever waits for something to happen here."""
        ...

    async def tell(self, client_id: str, kind: str, data: dict[str, Any] | bytes) -> None:
        """Send one message to a client, if it is connected."""
        ...

    def drop(self, client_id: str) -> None:
        """Cut a client's WebSocket."""
        ...


class _StoppedError(Exception):
    """The workflow was interrupted, or one of its nodes failed; holds the last message to its client."""

    def __init__(self, kind: str, data: dict[str, Any]) -> None:
        super().__init__(kind)
        self.kind = kind
        self.data = data


async def run(server: WorkflowServer, job: Job) -> None:
    """Runs one workflow and leaves it in the history, however it ends."""
    try:
        await _tell(server, job, "execution_start", timed=True)
        await _tell(server, job, "execution_cached", {"nodes": []}, timed=True)
        for node_id in _order(job.workflow):
            await _tell(server, job, "executing", {"node": node_id, "display_node": node_id})
            await _execute(server, job, node_id)
            job.executed.append(node_id)
        await _tell(server, job, "execution_success", timed=True)
    except _StoppedError as stopped:
        await _tell(server, job, stopped.kind, stopped.data, timed=True)
    success = job.messages[-1][0] == "execution_success"
    await asyncio.sleep(job.behaviour.history_after_s)
    told = {"status_str": "success" if success else "error", "completed": success, "messages": job.messages}
    entry = {"prompt": job.entry, "outputs": job.outputs, "status": told, "meta": {}}
    server.history[job.id] = job.behaviour.history or (_with_nulls(entry) if job.behaviour.nulls else entry)
    server.note()
    if success:
        await _tell(server, job, "executing", {"node": None})


async def _execute(server: WorkflowServer, job: Job, node_id: str) -> None:
    node = job.workflow[node_id]
    if node["class_type"] == "KSampler":
        await _sample(server, job, node_id, steps=max(1, int(node["inputs"]["steps"])))
    elif NODES[node["class_type"]].gives_files:
        output = {job.behaviour.gives: [] if job.behaviour.no_picture else [_save(server, job, node)]}
        job.outputs[node_id] = output
        await _tell(server, job, "executed", {"node": node_id, "display_node": node_id, "output": output})


async def _sample(server: WorkflowServer, job: Job, node_id: str, *, steps: int) -> None:
    behaviour = job.behaviour
    for step in range(steps):
        if behaviour.garbage_after == step and isinstance(behaviour.garbage, bytes):
            await server.tell(job.client_id, "", behaviour.garbage)
        if behaviour.cut_after == step:
            server.drop(job.client_id)
        if behaviour.fails and step >= steps // 2:
            raise _StoppedError("execution_error", _exception(job, node_id))
        try:
            pause_s = None if behaviour.hang_after == step else behaviour.pace_s
            await asyncio.wait_for(server.interrupted.wait(), pause_s)
        except TimeoutError:
            await _tell(server, job, "progress", {"value": step + 1, "max": steps, "node": node_id})
            if behaviour.previews:
                picture = PREVIEW + png(PREVIEW_SIDE, PREVIEW_SIDE, step)
                await server.tell(job.client_id, "", picture)
        else:
            kind = job.workflow[node_id]["class_type"]
            data = {"node_id": node_id, "node_type": kind, "executed": job.executed}
            raise _StoppedError("execution_interrupted", data)


def _save(server: WorkflowServer, job: Job, node: dict[str, Any]) -> dict[str, str]:
    """Draws the picture; its colours follow from the workflow's texts and seed."""
    sizes = [each["inputs"] for each in job.workflow.values() if each["class_type"] == "EmptyLatentImage"]
    size = sizes[0] if sizes else {}
    width, height = (max(1, min(SIDE_LIMIT, int(size.get(side, SIDE_LIMIT)))) for side in ("width", "height"))
    workflow = json.dumps(job.workflow, sort_keys=True)
    data = png(width, height, zlib.crc32(workflow.encode()), texts={"prompt": workflow})
    kept = node["class_type"] == "SaveImage"
    prefix = str(node["inputs"].get("filename_prefix", "ComfyUI_temp"))
    name = f"{prefix}_{len(server.files) + 1:05}_.png"
    server.files[name] = data + b"\0" * job.behaviour.padding  # readers of PNG stop at its end
    return {"filename": name, "subfolder": "", "type": "output" if kept else "temp"}


def _with_nulls(entry: dict[str, Any]) -> dict[str, Any]:
    """A history entry as real servers have it, with nodes that gave nothing, or something else."""
    odd: dict[str, Any] = {"90": None, "91": {"images": None}, "92": {"images": [None, {"filename": None}]}, "93": []}
    behind: dict[str, Any] = {"94": {"text": ["seed 7"], "images": None}, "95": {"gifs": [{"filename": "a.mp4"}]}}
    status = (
        None if entry["status"]["completed"] else entry["status"] | {"messages": [None, *entry["status"]["messages"]]}
    )
    return entry | {"outputs": odd | entry["outputs"] | behind, "status": status, "meta": None}


def _exception(job: Job, node_id: str) -> dict[str, Any]:
    return {
        "node_id": node_id,
        "node_type": job.workflow[node_id]["class_type"],
        "executed": job.executed,
        "exception_message": job.behaviour.fails,
        "exception_type": "RuntimeError",
        "traceback": ['  File "execution.py", line 1, in execute\n'],
        "current_inputs": {},
        "current_outputs": [],
    }


async def _tell(
    server: WorkflowServer, job: Job, kind: str, data: dict[str, Any] | None = None, *, timed: bool = False
) -> None:
    message = {**(data or {}), "prompt_id": job.id}
    if timed:  # these are kept in the history too
        message["timestamp"] = int(time.time() * 1000)
        job.messages.append([kind, message])
    if not job.behaviour.mute:
        await server.tell(job.client_id, kind, message)


def _order(workflow: dict[str, Any]) -> list[str]:
    """The ids of the nodes, every one after those it takes from."""
    ordered: list[str] = []

    def visit(node_id: str, path: tuple[str, ...]) -> None:
        if node_id in ordered or node_id in path:
            return
        for value in workflow[node_id].get("inputs", {}).values():
            if isinstance(value, list):
                visit(value[0], (*path, node_id))
        ordered.append(node_id)

    for node_id in workflow:
        visit(node_id, ())
    return ordered
