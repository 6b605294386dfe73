"""The nodes a ComfyUI stand-in knows, and how it checks a workflow before it queues it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CHECKPOINTS = ("sd_xl_base_1.0.safetensors", "v1-5-pruned-emaonly.safetensors")
SAMPLERS = ("euler", "euler_ancestral", "dpmpp_2m", "ddim")
SCHEDULERS = ("normal", "karras", "simple")


@dataclass(frozen=True, slots=True)
class Node:
    """A kind of node: what it needs, and whether it gives files. An input is a type name or a tuple of choices."""

    inputs: dict[str, str | tuple[str, ...]]
    outputs: tuple[str, ...] = ()
    gives_files: bool = False


NODES: dict[str, Node] = {
    "CheckpointLoaderSimple": Node({"ckpt_name": CHECKPOINTS}, ("MODEL", "CLIP", "VAE")),
    "CLIPTextEncode": Node({"text": "STRING", "clip": "CLIP"}, ("CONDITIONING",)),
    "EmptyLatentImage": Node({"width": "INT", "height": "INT", "batch_size": "INT"}, ("LATENT",)),
    "KSampler": Node(
        {
            "model": "MODEL",
            "seed": "INT",
            "steps": "INT",
            "cfg": "FLOAT",
            "sampler_name": SAMPLERS,
            "scheduler": SCHEDULERS,
            "positive": "CONDITIONING",
            "negative": "CONDITIONING",
            "latent_image": "LATENT",
            "denoise": "FLOAT",
        },
        ("LATENT",),
    ),
    "VAEDecode": Node({"samples": "LATENT", "vae": "VAE"}, ("IMAGE",)),
    "SolidMask": Node({"value": "FLOAT", "width": "INT", "height": "INT"}, ("MASK",)),
    "MaskToImage": Node({"mask": "MASK"}, ("IMAGE",)),
    "SaveImage": Node({"images": "IMAGE", "filename_prefix": "STRING"}, gives_files=True),
    "PreviewImage": Node({"images": "IMAGE"}, gives_files=True),
}


@dataclass(frozen=True, slots=True)
class WorkflowRefusal:
    """Why a workflow is not queued, as `POST /prompt` says it."""

    error: dict[str, Any]
    node_errors: dict[str, Any]


def check(workflow: Any) -> WorkflowRefusal | None:
    """What is wrong with a workflow in API form, or None. Order, names and words are ComfyUI's own."""
    if not isinstance(workflow, dict) or not workflow:
        return _refuse("prompt_no_outputs", "Prompt has no outputs")
    for node_id, node in workflow.items():
        if not isinstance(node, dict) or "class_type" not in node:
            details = f"Node ID '#{node_id}'"
            return _refuse(
                "invalid_prompt", "Cannot execute because a node is missing the class_type property.", details
            )
        if node["class_type"] not in NODES:
            return _refuse("missing_node_type", f"Node '{node['class_type']}' not found.", f"Node ID '#{node_id}'")
    ends = [node_id for node_id, node in workflow.items() if NODES[node["class_type"]].gives_files]
    if not ends:
        return _refuse("prompt_no_outputs", "Prompt has no outputs")
    faults: dict[str, Any] = {}
    for node_id, node in workflow.items():
        errors = _check_inputs(node, workflow)
        if errors:
            faults[node_id] = {"errors": errors, "dependent_outputs": ends, "class_type": node["class_type"]}
    if not faults:
        return None
    return _refuse("prompt_outputs_failed_validation", "Prompt outputs failed validation", faults=faults)


def _check_inputs(node: dict[str, Any], workflow: dict[str, Any]) -> list[dict[str, Any]]:
    errors: list[dict[str, Any]] = []
    for name, kind in NODES[node["class_type"]].inputs.items():
        inputs = node.get("inputs", {})
        if name not in inputs:
            errors.append(_error("required_input_missing", "Required input is missing", name, name))
            continue
        value = inputs[name]
        if isinstance(value, list):
            errors += _check_link(name, kind, value, workflow)
        elif isinstance(kind, tuple) and value not in kind:
            details = f"{name}: {value!r} not in {list(kind)}"
            errors.append(_error("value_not_in_list", "Value not in list", details, name))
        elif kind in ("INT", "FLOAT") and not _is_number(value):
            words = f"Failed to convert an input value to a {kind} value"
            errors.append(_error("invalid_input_type", words, f"{name}, {value}, not a number", name))
    return errors


def _check_link(name: str, kind: object, link: list[Any], workflow: dict[str, Any]) -> list[dict[str, Any]]:
    if len(link) != 2 or link[0] not in workflow:
        words = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
        return [_error("bad_linked_input", words, name, name)]
    source = NODES[workflow[link[0]]["class_type"]]
    if not isinstance(link[1], int) or link[1] >= len(source.outputs) or source.outputs[link[1]] != kind:
        words = "Return type mismatch between linked nodes"
        return [_error("return_type_mismatch", words, f"{name}, received_type mismatch input_type({kind})", name)]
    return []


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type] - anything may stand in a workflow; what float refuses is the answer
    except (TypeError, ValueError):
        return False
    return True


def _error(kind: str, message: str, details: str, name: str) -> dict[str, Any]:
    return {"type": kind, "message": message, "details": details, "extra_info": {"input_name": name}}


def _refuse(kind: str, message: str, details: str = "", *, faults: dict[str, Any] | None = None) -> WorkflowRefusal:
    return WorkflowRefusal({"type": kind, "message": message, "details": details, "extra_info": {}}, faults or {})
