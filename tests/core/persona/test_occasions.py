"""What the bot does by itself passes one gate: lockdown, budget, consent; people's turns go first; every token counts."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from core.errors import StoreError
from core.llm.messages import ChatMessage
from core.llm.models import Models
from core.persona.occasions import PATIENCE_S, Occasion, OccasionRefused
from core.store.spending import SpendingRepository

ADA, BEN, HERE, THERE = 11, 12, 1, 2
PROFILE = Occasion("profiles", HERE, 5, frozenset({ADA}))
QUESTION = [ChatMessage("system", "You are Parley."), ChatMessage("user", "What is there to say?")]
DAY_S = 24 * 3600


async def ask(occasions, occasion=PROFILE, **options):
    return await occasions.ask(occasion, QUESTION, **{"max_tokens": 100, **options})


async def refused(occasions, occasion=PROFILE, **options):
    with pytest.raises(OccasionRefused) as caught:
        await ask(occasions, occasion, **options)
    assert caught.value.sentence.endswith(".")
    return caught.value.reason


async def test_lockdown_is_asked_first_then_the_budget_then_consent(gate, chat):
    occasions = await gate.open(limit=50)
    gate.shut.add(("profiles", HERE))
    assert await refused(occasions) == "lockdown"
    gate.shut.clear()
    assert await refused(occasions) == "budget"
    assert occasions.refusal(PROFILE).reason == "consent"  # what costs nothing is not asked of the budget
    gate.consent.decide("observed", ADA, "in")
    assert occasions.refusal(PROFILE) is None
    assert chat.prompts == []


async def test_one_who_refuses_is_enough_and_a_lock_of_another_server_is_none_here(gate, chat):
    occasions = await gate.open()
    gate.consent.rule("observed", "opt_out")
    gate.shut.add(("profiles", THERE))
    both = replace(PROFILE, people=frozenset({ADA, BEN}))
    assert occasions.refusal(both) is None
    gate.consent.decide("observed", BEN, "out")
    assert await refused(occasions, both) == "consent"
    assert chat.prompts == []


async def test_the_server_tells_what_was_spent_and_a_restart_does_not_forget_it(gate, chat):
    occasions = await gate.open()
    occasion = replace(PROFILE, people=frozenset())
    chat.script(text="Nothing at all.")
    assert await ask(occasions, occasion) == "Nothing at all."
    request = chat.requests[-1].json
    assert (request["max_tokens"], request["stream_options"]) == (100, {"include_usage": True})
    spent = occasions.spent_today(HERE)
    assert spent == len(json.dumps(request["messages"])) // 4 + 4  # as the stand-in counts
    assert (await gate.open()).spent_today(HERE) == spent
    assert occasions.spent_today(THERE) == occasions.spent_today(None) == 0
    assert any("1 questions for “profiles”" in line for line in occasions.lines(HERE))
    assert not any("profiles" in line for line in occasions.lines(THERE))


async def test_where_the_server_takes_no_question_for_usage_tokens_are_estimated(gate, chat):
    occasions = await gate.open()
    for _ in range(3):
        chat.script(text="Nothing at all.", unsupported=("stream_options",))
    for _ in range(2):
        assert await ask(occasions, replace(PROFILE, people=frozenset())) == "Nothing at all."
    assert [("stream_options" in recorded.json) for recorded in chat.requests] == [True, False, False]
    assert 30 < occasions.spent_today(HERE) < 120


async def test_what_is_spent_is_spent_until_the_next_day(gate, chat, clock):
    occasions = await gate.open(limit=150)
    occasion = replace(PROFILE, people=frozenset())
    await ask(occasions, occasion)
    assert await refused(occasions, occasion) == "budget"
    assert await refused(await gate.open(limit=150), occasion) == "budget"
    await clock.advance(DAY_S)
    assert occasions.spent_today(HERE) == 0
    await ask(occasions, occasion)
    assert len(chat.prompts) == 2
    assert len(await SpendingRepository(gate.store).of(clock.now().date())) == 1


async def test_one_server_of_several_cannot_spend_the_share_of_the_others(gate):
    gate.servers = 2
    occasions = await gate.open(limit=300, share=0.5)
    here = replace(PROFILE, people=frozenset())
    await ask(occasions, here)
    assert "share" in occasions.refusal(here, 130).sentence
    assert occasions.refusal(replace(here, guild_id=THERE), 130) is None
    assert occasions.refusal(replace(here, guild_id=None), 130) is None


async def test_two_questions_at_once_do_not_spend_the_same_tokens(gate, chat):
    occasions = await gate.open(limit=200)
    chat.script(text="Yes.", delay_s=0.2)
    occasion = replace(PROFILE, people=frozenset())
    results = await asyncio.gather(*(ask(occasions, occasion) for _ in range(2)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["OccasionRefused", "str"]


async def test_peoples_turns_go_first_and_what_was_locked_meanwhile_is_not_asked(gate, chat, clock):
    occasions = await gate.open()
    gate.busy = True
    occasion = replace(PROFILE, people=frozenset())
    waiting = asyncio.create_task(ask(occasions, occasion))
    await clock.advance(5)
    assert not waiting.done()
    assert chat.prompts == []
    gate.busy = False
    await clock.advance(1)
    assert await waiting
    gate.busy = True
    waiting = asyncio.create_task(refused(occasions, occasion))
    await clock.advance(1)
    gate.shut.add(("profiles", None))
    gate.busy = False
    await clock.advance(1)
    assert await waiting == "lockdown"
    assert len(chat.prompts) == 1


async def test_a_question_whose_occasion_is_long_past_is_given_up(gate, clock):
    occasions = await gate.open()
    gate.busy = True
    waiting = asyncio.create_task(refused(occasions, replace(PROFILE, people=frozenset())))
    await clock.advance(PATIENCE_S + 1)
    assert await waiting == "busy"


async def test_who_refuses_while_the_model_thinks_is_not_answered_about(gate, chat):
    occasions = await gate.open()
    gate.consent.decide("observed", ADA, "in")
    chat.script(text="She likes tea.", delay_s=0.3)
    waiting = asyncio.create_task(refused(occasions))
    await asyncio.sleep(0.1)
    gate.consent.decide("observed", ADA, "out")
    assert await waiting == "consent"
    assert occasions.spent_today(HERE) > 0  # it was asked, and costs


async def test_the_route_of_the_configuration_is_asked_unless_a_question_names_one(gate, chat):
    occasions = await gate.open(route="small")
    occasion = replace(PROFILE, people=frozenset())
    await ask(occasions, occasion, temperature=0.1)
    await ask(occasions, occasion, route="default")
    assert [recorded.json["model"] for recorded in chat.requests] == ["s", "m"]
    assert chat.requests[0].json["temperature"] == 0.1


async def test_an_answer_that_gets_too_long_ends_with_its_last_sentence(gate, chat):
    occasions = await gate.open()
    occasion = replace(PROFILE, people=frozenset())
    chat.script(text="The kettle is on. It will boil in about three minutes or so.")
    assert await ask(occasions, occasion, max_tokens=9) == "The kettle is on."
    chat.script(text="Without an end in sight for a very long time indeed")
    assert await refused(occasions, occasion, max_tokens=4) == "model"


@pytest.mark.parametrize("fault", [{"status": 500}, {"text": "  "}])
async def test_a_model_that_fails_or_says_nothing_is_a_refusal_with_its_reason(gate, chat, fault):
    occasions = await gate.open()
    chat.script(**fault)
    assert await refused(occasions, replace(PROFILE, people=frozenset())) == "model"


async def test_without_a_route_nothing_is_asked(gate):
    gate.models = Models({}, environ={})
    assert await refused(await gate.open(), replace(PROFILE, people=frozenset())) == "model"


async def test_a_database_that_cannot_be_written_does_not_take_the_answer_away(gate, monkeypatch, caplog):
    occasions = await gate.open()

    async def fail(*_args):
        raise StoreError("full")

    monkeypatch.setattr(SpendingRepository, "save", fail)
    assert await ask(occasions, replace(PROFILE, people=frozenset()))
    assert occasions.spent_today(HERE) > 0
    assert "cannot be written down" in caplog.text
