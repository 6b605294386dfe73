"""The promise: after a whole session no secret is in the log, however much is logged, and no file is for other accounts."""

from __future__ import annotations

import io
import logging
import stat
import sys
from typing import TYPE_CHECKING, Any

import pytest

from core.redaction import RedactingFilter
from tests.cogs.test_recorder import live, report, tone
from tests.core.persona.cards_made import picture, png_with, text, v3

if TYPE_CHECKING:
    from pathlib import Path

COGS = (
    "cogs.voice",
    "cogs.prompt",
    "cogs.recorder",
    "cogs.recordings",
    "cogs.lockdown",
    "cogs.admin",
    "cogs.studio",
    "cogs.persona",
    "cogs.schedule",
    "cogs.watch",
    "cogs.trainer",
    "cogs.music",
)
SECRET = "s3cr3t"


@pytest.fixture
def log() -> Any:
    """Everything that anybody logs, as the launcher's handlers write it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def open_to_others(folder: Path) -> list[str]:
    return [
        f"{path.relative_to(folder)} {stat.S_IMODE(path.stat().st_mode):o}"
        for path in [*folder.rglob("*")]
        if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]


async def of_the_persona(scene: Any, ada: Any) -> list[str]:
    """What it keeps in files, and addresses that hold a password."""
    card = ("nyx.png", png_with(text("ccv3", v3(first_mes="hello"))), "image/png")
    preview = await (await ada.slash(scene.text, "persona import", card=card)).answered(30)
    await (await ada.press(preview, "Keep")).response(30)
    await scene.until(lambda: scene.runtime.persona.shelf.of(scene.guild.id))
    upload = ("p.png", picture(), "image/png")
    added = await ada.slash(scene.text, "schedule add", when="in 30 minutes", what="picture", picture=upload)
    return [
        (await added.answered(30)).content,
        await scene.run(ada, "watch add", url=f"http://ada:{SECRET}@127.0.0.1:9/feed?key={SECRET}"),
        await scene.run(ada, "persona status"),
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bits")
@pytest.mark.parametrize("track_format", ["wav", "flac"])
async def test_a_whole_session_logs_no_secret_and_leaves_no_file_to_others(
    scene: Any, log: io.StringIO, track_format: str
) -> None:
    gone = f"http://ada:{SECRET}@127.0.0.1:9"
    route = {
        "base_url": scene.chat.base_url.replace("://", f"://ada:{SECRET}@"),
        "model": "stand-in",
        "retries": 0,
        "headers": {"X-Own-Key": SECRET},
    }
    hook = {
        "name": "gpu",
        "lock_url": f"{gone}/lock?token={SECRET}",
        "unlock_url": f"{gone}/unlock?api_key={SECRET}",
        "headers": {"X-Key": SECRET},
        "lock_body": {"key": SECRET},
    }
    await scene.start(
        cogs=COGS,
        recording={"min_free_mb": 1, "format": track_format},
        model={
            "routes": {"default": route, "other": {"base_url": f"{gone}/v1?key={SECRET}", "model": "m", "retries": 0}}
        },
        lockdown={"hooks": [hook]},
        studio={"comfyui": {"url": f"{gone}/draw", "headers": {"X-Key": SECRET}}},
        speech={"openai": {"base_url": gone}, "elevenlabs": {"url": gone.replace("http", "ws")}},
        persona={"arguments": {"lines": 2, "characters_per_s": 0}},
        store={"url": f"sqlite+aiosqlite:///{(scene.folder / 'data' / 'parley.db').as_posix()}"},
    )
    ada = await scene.person("Ada", roles=[scene.admin_role])
    scene.bot_user.application.owner = ada.user
    await ada.join(scene.voice)
    said = [await scene.run(ada, "voice join"), await scene.run(ada, "voice record")]
    await ada.play(tone(0.5))
    await scene.until(lambda: live(scene).heard())
    asked = await ada.type(scene.text, "Hello")
    await scene.reply(ada, asked)
    said += [await scene.run(ada, "draw", prompt="a fox"), await scene.run(ada, "voice status")]
    said += [await scene.run(ada, "voice record", action="stop")]
    told = await report(scene, ada)
    said += [told.content]
    (record,) = scene.runtime.recordings.archive.records(scene.guild.id)
    exported = await (await ada.slash(scene.text, "recordings export", recording=record.id, format="mp3")).answered()
    assert exported.attachments
    assert (await (await ada.slash(scene.text, "privacy export")).answered()).attachments
    said += await of_the_persona(scene, ada)
    status = await (await ada.slash(scene.text, "lockdown status")).answered()
    said += [str(status.embeds), await scene.run(ada, "voice leave"), await scene.run(ada, "privacy delete")]
    said += scene.notices()
    assert "127.0.0.1:9" in log.getvalue()
    assert not [line for line in log.getvalue().splitlines() if SECRET in line]
    assert SECRET not in "\n".join(said)
    files = b"".join(path.read_bytes() for path in (scene.folder / "data").rglob("*") if path.is_file())
    assert SECRET.encode() not in files
    assert files
    assert open_to_others(scene.folder / "data") == []
