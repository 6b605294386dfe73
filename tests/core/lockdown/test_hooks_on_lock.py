"""HTTP hooks, against a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from core.errors import LockdownError
from core.lockdown import Feature, SilencePolicy
from core.lockdown.steps import NO_HOOK
from loopback.services.hooks import Hooks
from tests.core.lockdown.house import House, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def server() -> AsyncIterator[Hooks]:
    async with Hooks() as server:
        yield server


def hook(server: Hooks, name: str = "ollama", **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "lock_url": f"{server.url}/{name}/unload",
        "unlock_url": f"{server.url}/{name}/load",
        "lock_body": {"keep_alive": 0},
        "header_env": {"Authorization": "HOOK_KEY"},
        "timeout_s": 20,
        **changes,
    }


async def engage(lockdown: Any, session_id: str = "s1") -> None:
    await lockdown.engage(session_id, guild_id=1, channel_id=2)


async def test_hooks_are_called_with_their_body_and_key_on_lock_and_unlock(house: House, server: Hooks) -> None:
    lockdown = await house.open(hooks=[hook(server)])
    await engage(lockdown)
    assert server.calls == ["POST /ollama/unload"]
    assert server.requests[0].json == {"keep_alive": 0}
    assert server.requests[0].headers["Authorization"] == "secret"
    await lockdown.release("s1")
    assert server.calls == ["POST /ollama/unload", "POST /ollama/load"]
    assert server.requests[1].body == b""


async def test_two_sessions_call_a_hook_once_each_way(house: House, server: Hooks) -> None:
    lockdown = await house.open(hooks=[hook(server)])
    await engage(lockdown, "s1")
    await engage(lockdown, "s2")
    await lockdown.release("s2")
    await lockdown.release("s1")
    assert server.calls == ["POST /ollama/unload", "POST /ollama/load"]


async def test_nothing_that_lets_somebody_in_is_in_the_database(house: House, server: Hooks) -> None:
    address = server.url.replace("://", "://ada:s3cr3t@") + "/hooks/s3cr3t/load?token=s3cr3t"
    secrets = {"headers": {"X-Key": "s3cr3t"}, "unlock_body": {"k": "s3cr3t"}, "header_env": {}}
    asked = hook(server, lock_url=address, unlock_url=address, **secrets)
    lockdown = await house.open(hooks=[asked])
    await engage(lockdown)
    server.script(on="/load", status=500)
    await lockdown.release("s1")
    (row,) = await house.rows("lock_entry")
    assert row.name == "ollama"
    assert row.error
    await house.die(lockdown)
    for file in house.path.parent.glob("parley.db*"):
        assert b"s3cr3t" not in file.read_bytes()
    again = await house.open(hooks=[asked])
    await until(lambda: not again.owed)
    assert server.requests[-1].headers["X-Key"] == "s3cr3t"
    assert server.requests[-1].headers["Authorization"]


@pytest.mark.parametrize("fault", [{"status": 500}, {"silent": True}, {"refuse": True}])
async def test_a_hook_that_is_down_is_shown_and_the_session_goes_on(
    house: House, server: Hooks, fault: dict[str, Any]
) -> None:
    lockdown = await house.open(hooks=[hook(server, timeout_s=0.3 if fault.get("silent") else 20)])
    server.script(on="/unload", **fault)
    await engage(lockdown)
    status = await lockdown.status()
    assert len(status.faults) == 1
    assert "The hook “ollama”" in status.faults[0]
    assert "http" not in status.faults[0]


async def test_a_required_hook_that_is_down_refuses_the_session_and_calls_the_others_back(
    house: House, server: Hooks
) -> None:
    lockdown = await house.open(hooks=[hook(server), hook(server, "comfy", required=True)])
    lockdown.register(Feature("pictures", "Pictures", SilencePolicy()), owner="test")
    server.script(on="/comfy/unload", status=503)
    with pytest.raises(LockdownError, match="cannot start: The hook “comfy” answered with status 503"):
        await engage(lockdown)
    assert not lockdown.locked("pictures")
    assert sorted(server.calls[2:]) == ["POST /comfy/load", "POST /ollama/load"]


async def test_an_unlock_hook_that_is_down_is_tried_until_it_works(house: House, server: Hooks) -> None:
    lockdown = await house.open(hooks=[hook(server)])
    await engage(lockdown)
    server.script(on="/load", times=2, status=500)
    await lockdown.release("s1")
    assert [(owed.name, owed.error) for owed in lockdown.owed] == [
        ("ollama", "The hook “ollama” answered with status 500.")
    ]
    await house.clock.turn(2)
    await until(lambda: lockdown.owed and lockdown.owed[0].attempts == 2)
    await house.clock.turn(4)
    await until(lambda: not lockdown.owed)
    assert server.calls.count("POST /ollama/load") == 3


async def test_a_hook_that_a_killed_process_owed_is_called_at_the_next_start(house: House, server: Hooks) -> None:
    lockdown = await house.open(hooks=[hook(server)])
    await engage(lockdown)
    await house.die(lockdown)
    again = await house.open(hooks=[hook(server, "comfy"), hook(server)])
    await until(lambda: not again.owed)
    assert server.calls == ["POST /ollama/unload", "POST /ollama/load"]
    assert await house.rows("lock_entry") == []


async def test_a_hook_that_is_gone_from_the_configuration_is_owed_by_name_until_it_is_back(
    house: House, server: Hooks
) -> None:
    lockdown = await house.open(hooks=[hook(server)])
    await engage(lockdown)
    await house.die(lockdown)
    without = await house.open(hooks=[hook(server, "comfy")])
    await until(lambda: without.owed and without.owed[0].error)
    assert without.owed[0].error == NO_HOOK.format(name="ollama")
    await house.die(without)
    again = await house.open(hooks=[hook(server)])
    await until(lambda: not again.owed)
    assert server.calls == ["POST /ollama/unload", "POST /ollama/load"]


async def test_a_key_that_is_gone_since_is_named_and_the_server_is_not_asked_without_it(
    house: House, server: Hooks
) -> None:
    lockdown = await house.open(hooks=[hook(server)])
    await engage(lockdown)
    await house.die(lockdown)
    house.environ = {"HOOK_KEY": ""}
    again = await house.open(hooks=[hook(server)])
    await until(lambda: again.owed and again.owed[0].error)
    assert again.owed[0].error == "The hook “ollama” needs HOOK_KEY, which is not set any more."
    assert server.calls == ["POST /ollama/unload"]
