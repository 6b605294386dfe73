"""What the tests of models share: a route to a stand-in, an answer, and what a person is told instead of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from core.errors import ModelError
from core.llm.messages import ChatMessage
from core.llm.routes import Route

if TYPE_CHECKING:
    from core.llm.models import Models
    from loopback.services.chat import Chat

KEY = "sk-very-secret-key"
HELLO = [ChatMessage("system", "You are Parley."), ChatMessage("user", "I baked rye bread.", name="Ada")]


def route(chat: Chat, **changes: Any) -> Route:
    given = {"name": "default", "model": "m", "base_url": chat.base_url, "api_key_env": "KEY", "retries": 0, **changes}
    return Route(**given)


async def answer(models: Models, **changes: Any) -> str:
    return "".join([text async for text in models.stream(HELLO, **changes)])


async def complaint(models: Models, **changes: Any) -> str:
    with pytest.raises(ModelError) as caught:
        await answer(models, **changes)
    assert KEY not in str(caught.value)
    assert KEY not in str(caught.value.__cause__)
    assert str(caught.value).endswith(".")
    return str(caught.value)
