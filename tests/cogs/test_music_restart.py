"""A queue outlives the process, and what nobody waits for any more does not."""

from __future__ import annotations

import pytest

from tests.cogs.sounds import tone, wav
from tests.cogs.test_music import COGS, hears, music, names  # noqa: F401 - a fixture is used by its name

pytestmark = pytest.mark.usefixtures("music")


async def again(scene, ada):
    """Another process with the same folder, and the bot in the channel again."""
    await scene.bot.close()
    await scene.start(cogs=COGS, model=False)
    assert "I am in" in await scene.run(ada, "voice join")


def kept(scene):
    return list((scene.folder / "data/music").glob("*"))


async def test_the_queue_goes_on_where_it_was_with_uploads_and_loop(scene):
    ada = await scene.begin("a.wav", "b.wav")
    await scene.run(ada, "music play", upload=("mine.wav", wav(tone(1500, 5)), "audio/wav"))
    await scene.run(ada, "music loop", mode="queue")
    await hears(ada, scene, 400)
    await scene.run(ada, "music seek", to="8")
    await scene.until(lambda: scene.session.media.position_s > 8.3)
    await again(scene, ada)
    await scene.until(lambda: names(scene) == "abm")
    assert 8.2 < scene.session.media.position_s < 12
    assert scene.session.media.queue.loop == "queue"
    await scene.until(lambda: any("I go on with the 3 track(s)" in notice for notice in scene.notices()))
    await hears(ada, scene, 400)
    for _ in range(2):
        await scene.run(ada, "music skip")
    await hears(ada, scene, 1500)
    assert len(kept(scene)) == 1
    await scene.run(ada, "music loop", mode="off")
    await scene.run(ada, "music stop")
    await scene.until(lambda: not kept(scene))


async def test_who_leaves_ends_the_queue_for_good(scene):
    ada = await scene.begin("a.wav")
    await scene.run(ada, "music play", upload=("mine.wav", wav(tone(1500, 5)), "audio/wav"))
    await scene.run(ada, "voice leave")
    await scene.until(lambda: not kept(scene))
    await again(scene, ada)
    assert names(scene) == ""


async def test_what_somebody_asked_for_is_shown_exported_and_deleted(scene):
    ada = await scene.begin("a.wav")
    await scene.run(ada, "music play", upload=("mine.wav", wav(tone(1500, 5)), "audio/wav"))
    await scene.runtime.music.play_file(scene.session, "b.wav", by=77)
    privacy, user_id = scene.runtime.privacy, ada.user.id
    (told,) = [line for line in await privacy.describe_person(user_id) if "queues of music" in line]
    assert told.startswith("2 track(s)")
    exported = await privacy.export_person(user_id)
    assert any(name.endswith("music_queue.txt") and b"mine.wav" in data for name, data in exported.items())
    deletion = await privacy.delete_person(user_id)
    assert any("2 track(s) that you had asked for" in line for line in deletion.done)
    await scene.until(lambda: names(scene) == "b" and not kept(scene))
