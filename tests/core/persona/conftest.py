"""A database, what people decided, and a chat server, for the rooms of the persona."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.llm.models import Models
from core.llm.routes import Route
from core.llm.tokens import estimate_tokens
from core.persona.budget import DayBudget
from core.persona.occasions import Occasions
from core.privacy.consent import Consent
from core.store.spending import SpendingRepository
from core.store.store import Store
from loopback.services.chat import Chat

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.core.conftest import ManualClock


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[Store]:
    store = Store(f"sqlite+aiosqlite:///{(tmp_path / 'parley.db').as_posix()}")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def chat() -> AsyncGenerator[Chat]:
    async with Chat() as chat:
        yield chat


@pytest.fixture
async def models(chat: Chat) -> AsyncGenerator[Models]:
    there = {"base_url": chat.base_url, "api_key_env": "", "retries": 0}
    models = Models({"default": Route("default", "m", **there), "small": Route("small", "s", **there)}, environ={})
    yield models
    await models.close()


class Gate:
    """An `Occasions` over real parts, with doors and turns that a test opens and closes."""

    def __init__(self, store: Store, models: Models, clock: ManualClock) -> None:
        self.store, self.models, self.clock = store, models, clock
        self.consent = Consent()
        self.shut: set[tuple[str, int | None]] = set()
        self.busy = False
        self.servers = 1

    def locked(self, name: str, *, guild_id: int | None = None) -> bool:
        return (name, guild_id) in self.shut or (name, None) in self.shut

    async def open(self, *, limit: int = 10_000, share: float = 0.5, route: str = "") -> Occasions:
        repository = SpendingRepository(self.store)
        budget = DayBudget(repository, limit=limit, share=share, servers=lambda: self.servers, clock=self.clock)
        await budget.open()
        return Occasions(
            budget,
            route=route,
            doors=self,
            consent=self.consent,
            models=self.models,
            busy=lambda: self.busy,
            count_tokens=estimate_tokens,
            clock=self.clock,
        )


@pytest.fixture
def gate(store: Store, models: Models, clock: ManualClock) -> Gate:
    return Gate(store, models, clock)
