"""3 seconds, 15 minutes, one response: what Discord answers when an application does not keep to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import discord
import pytest

from loopback.interactions.lifecycle import Interactions

if TYPE_CHECKING:
    from tests.loopback.interactions.conftest import Scene


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(scene: Scene) -> Clock:
    clock = Clock()
    loopback = scene.loopback
    loopback.interactions = Interactions(loopback.world, loopback.sessions.dispatch_to_application, clock)
    return clock


async def test_after_three_seconds_the_application_did_not_respond(scene: Scene, clock: Clock) -> None:
    interaction = await scene.alice.slash(scene.standard.text, "late")
    received = await scene.received()
    clock.now_s = 3.1
    assert interaction.failed
    with pytest.raises(TimeoutError, match="the application did not respond"):
        await interaction.response(timeout=0.01)
    with pytest.raises(discord.NotFound) as raised:
        await received.response.send_message("late")
    assert raised.value.code == 10062
    assert raised.value.text == "Unknown interaction"


async def test_within_three_seconds_a_deferral_keeps_it_alive(scene: Scene, clock: Clock) -> None:
    interaction = await scene.alice.slash(scene.standard.text, "late")
    received = await scene.received()
    clock.now_s = 2.9
    await received.response.defer()
    clock.now_s = 800
    await received.edit_original_response(content="made it")
    assert (await interaction.answered()).content == "made it"


async def test_after_fifteen_minutes_the_token_is_dead(scene: Scene, clock: Clock) -> None:
    interaction = await scene.alice.slash(scene.standard.text, "say", text="hi")
    await interaction.answered()
    received = await scene.received()
    clock.now_s = 901
    with pytest.raises(discord.HTTPException) as raised:
        await received.followup.send("late")
    assert (raised.value.status, raised.value.code) == (401, 50027)


async def test_a_second_response_is_refused(scene: Scene) -> None:
    await scene.alice.slash(scene.standard.text, "late")
    received = await scene.received()
    await received.response.send_message("one")
    status, body = await callback(scene, received, {"type": 4, "data": {"content": "two"}})
    assert (status, body["code"]) == (400, 40060)
    assert len(scene.standard.text.messages) == 1


async def test_a_refused_response_leaves_room_for_a_right_one(scene: Scene) -> None:
    interaction = await scene.alice.slash(scene.standard.text, "late")
    received = await scene.received()
    status, body = await callback(scene, received, {"type": 4, "data": {"content": "x" * 2001}})
    assert (status, body["code"]) == (400, 50035)
    assert body["errors"]["data"]["content"]["_errors"][0]["code"] == "BASE_TYPE_MAX_LENGTH"
    await received.response.send_message("short")
    assert (await interaction.answered()).content == "short"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"type": 7, "data": {"content": "a"}}, ["type"]),
        ({"type": 8, "data": {"choices": []}}, ["type"]),
        ({"type": 99}, ["type"]),
        ({}, ["type"]),
        ({"type": 9, "data": {"title": "a", "custom_id": "b", "components": []}}, ["data", "components"]),
        ({"type": 9, "data": {"title": "a" * 46, "custom_id": "b", "components": [{}]}}, ["data", "title"]),
    ],
)
async def test_a_callback_that_does_not_fit_a_command_is_refused(scene: Scene, body: dict, path: list[str]) -> None:
    await scene.alice.slash(scene.standard.text, "late")
    status, answer = await callback(scene, await scene.received(), body)
    assert (status, answer["code"]) == (400, 50035)
    errors = answer["errors"]
    for step in path:
        errors = errors[step]
    assert errors["_errors"]


async def test_components_discord_refuses_are_refused(scene: Scene) -> None:
    await scene.alice.slash(scene.standard.text, "late")
    button = {"type": 2, "style": 1, "label": "A", "custom_id": "same"}
    data = {"content": "two alike", "components": [{"type": 1, "components": [button, button]}]}
    status, answer = await callback(scene, await scene.received(), {"type": 4, "data": data})
    assert status == 400
    assert answer["errors"]["data"]["components"]["_errors"][0]["code"] == "COMPONENT_CUSTOM_ID_DUPLICATED"


async def test_an_interaction_nobody_made_is_unknown(scene: Scene) -> None:
    await scene.alice.slash(scene.standard.text, "late")
    received = await scene.received()
    received.token = received.token[:-1] + "x"
    status, body = await callback(scene, received, {"type": 4, "data": {"content": "a"}})
    assert (status, body["code"]) == (404, 10062)


async def test_a_follow_up_before_any_response_is_an_unknown_webhook(scene: Scene) -> None:
    await scene.alice.slash(scene.standard.text, "late")
    received = await scene.received()
    with pytest.raises(discord.NotFound) as raised:
        await received.followup.send("early")
    assert raised.value.code == 10015


async def test_without_with_response_the_answer_is_empty(scene: Scene) -> None:
    await scene.alice.slash(scene.standard.text, "late")
    received = await scene.received()
    assert await callback(scene, received, {"type": 4, "data": {"content": "a"}}) == (204, None)


async def callback(scene: Scene, received: discord.Interaction, body: dict) -> tuple[int, dict | None]:
    scene.bot.hold.clear()
    url = f"{scene.loopback.rest}/interactions/{received.id}/{received.token}/callback"
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        return answer.status, await answer.json() if answer.status != 204 else None
