"""Buttons, selects and modals, on public and on ephemeral messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loopback.interactions.interaction import Callback
from loopback.people.refused import Refused

if TYPE_CHECKING:
    from loopback.world import Message
    from tests.loopback.interactions.conftest import Scene


async def panel(scene: Scene) -> Message:
    return await (await scene.alice.slash(scene.standard.text, "panel")).answered()


async def test_a_press_changes_the_message_it_is_on(scene: Scene) -> None:
    message = await panel(scene)
    pressed = await scene.bob.press(message, "Count")
    assert await pressed.answered() is message
    assert message.content == "panel+1"
    assert await (await scene.alice.press(message, "count")).response() is Callback.UPDATE
    assert message.content == "panel+1+1"


async def test_a_deferred_press_changes_it_later(scene: Scene) -> None:
    message = await panel(scene)
    pressed = await scene.bob.press(message, "Later")
    assert await pressed.response() is Callback.DEFER_UPDATE
    assert (await pressed.answered()).content == "later"


async def test_a_press_can_be_answered_to_one_person_only(scene: Scene) -> None:
    message = await panel(scene)
    answer = await (await scene.bob.press(message, "Whisper")).answered()
    assert answer.is_ephemeral
    assert answer.reply_to is message
    assert answer.interaction_metadata["interacted_message_id"] == str(message.id)
    with pytest.raises(Refused, match="does not see"):
        await scene.alice.press(answer, "Count")


async def test_components_work_on_ephemeral_messages(scene: Scene) -> None:
    message = await (await scene.alice.slash(scene.standard.text, "whisper")).answered()
    pressed = await scene.alice.press(message, "Count")
    assert (await pressed.answered()).content == "psst+1"
    assert message.is_ephemeral
    assert message.id not in scene.standard.text.messages


@pytest.mark.parametrize(("button", "says"), [("Off", "disabled"), ("Nope", "no button 'Nope'")])
async def test_a_button_that_cannot_be_pressed_is_refused(scene: Scene, button: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        await scene.alice.press(await panel(scene), button)


async def test_a_select_sends_the_values_behind_the_labels(scene: Scene) -> None:
    message = await panel(scene)
    assert (await (await scene.alice.select(message, "Big", custom_id="size")).answered()).content == "size b"
    with pytest.raises(Refused, match="Small"):
        await scene.alice.select(message, "Huge", custom_id="size")
    with pytest.raises(Refused, match="1 to 1"):
        await scene.alice.select(message, "Big", "Small", custom_id="size")
    with pytest.raises(Refused, match="2 selects"):
        await scene.alice.select(message, "Big")


async def test_a_user_select_resolves_its_users(scene: Scene) -> None:
    message = await panel(scene)
    chosen = await scene.alice.select(message, scene.bob, scene.alice, custom_id="who")
    assert (await chosen.answered()).content == "bob alice"


async def test_a_modal_opens_is_filled_in_and_answered(scene: Scene) -> None:
    asked = await scene.alice.slash(scene.standard.text, "ask")
    assert await asked.response() is Callback.MODAL
    sent = await scene.alice.submit(asked, Name="Ada", Story="long")
    answer = await sent.answered()
    assert answer.content == "Ada: long"
    assert answer.interaction_metadata["triggering_interaction_metadata"]["name"] == "ask"


async def test_a_modal_opens_from_a_button(scene: Scene) -> None:
    pressed = await scene.alice.press(await panel(scene), "Ask")
    sent = await scene.alice.submit(pressed, Name="Ada")
    assert (await sent.answered()).content == "Ada: nothing"


@pytest.mark.parametrize(
    ("values", "says"),
    [({}, "'Name' must be filled in"), ({"Name": "a" * 11}, "0 to 10"), ({"Name": "a", "Age": "3"}, "no field")],
)
async def test_a_modal_that_the_client_would_not_send_is_refused(scene: Scene, values: dict, says: str) -> None:
    asked = await scene.alice.slash(scene.standard.text, "ask")
    with pytest.raises(Refused, match=says):
        await scene.alice.submit(asked, **values)
