"""The messages of a prompt for a model."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Literal

from core.surrogates import mended

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Image:
    """A picture for a model that sees: the bytes of the file and what they are, as "image/png"."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a prompt.

    `name` tells who said it. It travels as "Name: text" and not in the protocol's own field, which many servers ignore
    or refuse.
    """

    role: Role
    content: str
    name: str | None = None
    images: tuple[Image, ...] = ()

    @property
    def text(self) -> str:
        """The content as the model reads it, the name in front."""
        return mended(f"{' '.join(self.name.split())}: {self.content}" if self.name else self.content)

    def payload(self) -> dict[str, Any]:
        """The message as OpenAI's chat completions take it; pictures as data URLs."""
        if not self.images:
            return {"role": self.role, "content": self.text}
        parts: list[dict[str, Any]] = [{"type": "text", "text": self.text}]
        for image in self.images:
            url = f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"
            parts.append({"type": "image_url", "image_url": {"url": url}})
        return {"role": self.role, "content": parts}


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What exactly a model was asked: every message, the route and its model, and the temperature it was asked with."""

    messages: tuple[ChatMessage, ...]
    route: str
    model: str
    temperature: float | None = None
