"""Seeded damage: bytes and JSON that are nearly right."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

_EDGES = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)
_ODD: tuple[Callable[[], Any], ...] = (
    lambda: None,
    lambda: True,
    lambda: -1,
    lambda: 0,
    lambda: 2**63,
    lambda: 10**400,
    lambda: 1.5,
    lambda: float("nan"),
    lambda: "",
    lambda: "x",
    lambda: "9" * 5000,
    lambda: "\ud800",
    lambda: "../../.env",
    list,
    lambda: [None],
    dict,
    lambda: {"op": 4},
)


def damaged(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds with one to four changes."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(7):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(data):
                data[at] = rng.choice(_EDGES)
            case 2:
                del data[at : at + rng.randint(1, 16)]
            case 3:
                data[at:at] = rng.randbytes(rng.randint(1, 16))
            case 4:
                data[at:at] = data[at : at + rng.randint(1, 64)]
            case 5:
                del data[at:]
            case _:
                other = rng.choice(seeds)
                data[at:] = other[rng.randrange(len(other) + 1) :]
    return bytes(data)


def warped(rng: random.Random, seed: Any) -> Any:
    """A copy of a JSON value with one to three of its parts replaced, taken out or doubled."""
    value = copy.deepcopy(seed)
    for _ in range(rng.randint(1, 3)):
        holders = _holders(value)
        if not holders:
            return rng.choice(_ODD)()
        holder = rng.choice(holders)
        key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        match rng.randrange(4):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.append(holder[key])
            case 2 if isinstance(holder, dict):
                holder[f"{key}_"] = holder.pop(key)
            case _:
                holder[key] = rng.choice(_ODD)()
    return value


def _holders(value: Any) -> list[Any]:
    """Every object and list in a value that has something in it."""
    if not isinstance(value, dict | list) or not value:
        return []
    inside = value.values() if isinstance(value, dict) else value
    return [value, *(holder for part in inside for holder in _holders(part))]
