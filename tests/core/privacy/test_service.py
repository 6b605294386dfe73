"""Decisions of four kinds, those who react to them, and those who keep data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from core.errors import ParleyError
from core.privacy.consent import Consent
from core.privacy.kept import FILE
from core.privacy.owners import About
from core.privacy.service import Privacy
from core.privacy.words import decided_text, deleted_text
from core.store.store import Store
from tests.core.recording.people import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    import pytest

    from core.privacy.owners import Person
    from core.store.decisions import Decision


class Notebook:
    """Somebody who keeps data."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.asked: list[Person] = []

    async def describe_person(self, person: Person) -> About:
        return About([f"A page on {person.id}."], frozenset({"Zeb"}))

    async def export_person(self, person: Person) -> Mapping[str, bytes]:
        return {"notebook.txt": str(person.id).encode()}

    async def delete_person(self, person: Person) -> Sequence[str]:
        self.asked.append(person)
        if self.broken:
            raise ParleyError("The notebook is locked.")
        return ["The page is torn out."]


@pytest_asyncio.fixture
async def privacy(tmp_path: Path) -> AsyncIterator[Privacy]:
    store = Store("sqlite+aiosqlite:///parley.db", base=tmp_path)
    await store.open()
    privacy = Privacy(store, tmp_path / "recordings" / FILE, FakeClock())
    await privacy.open()
    yield privacy
    await privacy.close()
    await store.close()


def test_each_kind_has_its_own_decision_and_its_own_rule_by_server() -> None:
    consent = Consent()
    consent.rule("heard", lambda guild_id: "opt_in" if guild_id == 1 else "opt_out")
    assert [consent.allows("heard", guild_id, 5) for guild_id in (1, 2)] == [False, True]
    consent.decide("heard", 5, "out")
    assert not consent.allows("heard", 2, 5)
    assert consent.allows("recorded", 2, 5)
    consent.decide("heard", 5, "in")
    assert consent.allows("heard", 1, 5)
    assert not consent.allows("trained_on", 1, 5)


async def test_a_room_hears_of_decisions_on_its_kind_after_they_hold_and_one_that_fails_stops_no_other(
    privacy: Privacy,
) -> None:
    heard: list[bool] = []

    async def broken(user_id: int, decision: Decision | None) -> str:
        raise ValueError("of a kind nobody thought of")

    async def forget(user_id: int, decision: Decision | None) -> str:
        heard.append(privacy.consent.allows("heard", 1, user_id))
        return "What I heard is forgotten."

    privacy.respect("heard", broken)
    told_of = privacy.respect("heard", forget)
    settled = await privacy.decide(5, "out", ("heard", "observed"))
    assert heard == [False]
    assert settled.place == "database"
    assert "forgotten" in (told := decided_text("out", ("heard", "observed"), settled))
    assert "not heard or observed any more" in told
    assert "went wrong" in told
    await privacy.decide(5, "out", ("recorded",))
    told_of.end()
    await privacy.decide(5, "in", ("heard",))
    assert heard == [False]


async def test_everybody_who_keeps_data_is_asked_with_every_name_and_signs_off_again(privacy: Privacy) -> None:
    notebook = Notebook()
    old = privacy.register("notebook", Notebook(broken=True))
    handle = privacy.register("notebook", notebook)
    old.end()  # a cog that was loaded anew has signed up by then
    assert await privacy.describe_person(5) == ["A page on 5."]
    assert await privacy.export_person(5) == {"notebook.txt": b"5"}
    deletion = await privacy.delete_person(5, {"Zebedee", "5"})
    assert deletion.done == ("The page is torn out.",)
    assert (notebook.asked[0].id, notebook.asked[0].names) == (5, {"Zeb", "Zebedee"})
    handle.end()
    assert "nothing of you" in deleted_text(await privacy.delete_person(5))


async def test_what_one_cannot_delete_is_said_and_tried_again_until_it_is_gone(
    privacy: Privacy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stuck, other = Notebook(broken=True), Notebook()
    privacy.register("stuck", stuck)
    privacy.register("other", other)
    told = deleted_text(await privacy.delete_person(5))
    assert "The notebook is locked." in told
    assert "The page is torn out." in told
    assert "also after a restart" in told
    assert (tmp_path / "recordings" / FILE).exists()
    stuck.broken = False
    again = Privacy(privacy._store, tmp_path / "recordings" / FILE, FakeClock())
    await again.open()
    again.register("stuck", stuck)
    (owed,) = again._kept.deletions
    assert owed.until == stuck.asked[0].until
    await again._delete(stuck.asked[0])
    assert not (tmp_path / "recordings" / FILE).exists()
    await again.close()
