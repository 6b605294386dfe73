"""A chat stand-in and one route to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.llm.models import Models
from loopback.services.chat import Chat
from tests.core.llm.asking import KEY, route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with Chat() as service:
        service.always(pace_s=0)
        yield service


@pytest.fixture
async def models(chat: Chat) -> AsyncIterator[Models]:
    made = Models({"default": route(chat)}, environ={"KEY": KEY}, names=["Parley"])
    yield made
    await made.close()
