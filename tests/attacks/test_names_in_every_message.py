"""The promise: on a server where everything has a hostile name, no message of ours holds a link, a ping or a heading of theirs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from core.conversation.pages import split
from core.errors import SpeechError
from core.lockdown import describe
from core.names import shown_reason
from core.recording.metadata import read_metadata, write_metadata
from tests.attacks.brought_in import bring_in
from tests.cogs.test_recorder import live, report, tone
from tests.cogs.test_voice_commands import HUM

if TYPE_CHECKING:
    from pathlib import Path

COGS = ("cogs.voice", "cogs.prompt", "cogs.recorder", "cogs.recordings", "cogs.lockdown", "cogs.admin", "cogs.studio")
EVIL = "evil.example"
NAMES = [
    "[free nitro](https://evil.example)",
    "@everyone `x` \n# evil.example\n",
    "\u202e<https://evil.example> ||x||",
]
LIVE = re.compile(
    r"(?<!\\)\]\(|(?<!\\)://evil|@everyone|@here|^#{1,3} .*evil|[\u202e\u2066\u200b]{2}|\u202e", re.MULTILINE
)


def alive(text: str) -> str | None:
    """What Discord would take for markup of a stranger's in a message."""
    outside = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    found = LIVE.search(outside)
    return found[0] if found else None


def words_of(message: Any) -> list[str]:
    """All that is read in a message as markdown."""
    texts = [message.content]
    for embed in message.embeds:
        texts += [embed.get("description") or "", *(field["value"] for field in embed.get("fields", ()))]
    return texts


def written(scene: Any) -> list[str]:
    channels = [scene.text, scene.voice, *(channel for channel in scene.world.channels.values())]
    found = {id(m): m for channel in channels for m in getattr(channel, "messages", {}).values()}
    return [text for m in found.values() if m.author is scene.bot_user for text in words_of(m)]


@pytest.mark.parametrize("name", NAMES)
async def test_commands_panels_reports_and_choices(
    scene: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "data" / "recordings"
    folder = bring_in(root, "aaaa", guild_id=scene.guild.id, channel_id=scene.voice.id, channel_name=name)
    known = read_metadata(folder)
    person = known.people[0].model_copy(update={"name": name, "fault": f"It is {name}."})
    write_metadata(folder, known.model_copy(update={"reason": f"Stopped by {name}.", "people": [person]}))
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    file = name.replace("/", "_").replace("\n", " ") + ".wav"
    (sounds / file).write_bytes(HUM)
    scene.guild.name = scene.voice.name = scene.text.name = name
    await scene.start(cogs=COGS, model=True, recording={"min_free_mb": 1}, voice={"sounds": str(sounds)})
    scene.chat.script(text=f"Do not press {name} please.")
    ada = await scene.person(name, roles=[scene.admin_role], nick=name[:90])
    scene.bot_user.application.owner = ada.user
    await ada.join(scene.voice)

    async def says(command: str, **options: object) -> list[str]:
        interaction = await ada.slash(scene.text, command, **options)
        return words_of(await interaction.answered(30))

    said: list[str] = []
    said += await says("voice join")
    said += await says("voice record")
    await ada.play(tone(0.4))
    await scene.until(lambda: live(scene).heard())
    said += await says("voice record", action="note", text=name)
    said += await says("voice record", action="pause")
    said += await says("voice record", action="resume")
    said += await says("voice play", upload=(file, HUM, "audio/wav"))
    said += await says("voice play", file=file)
    said += await says("voice play", file=f"{name}.mp3")
    said += await says("voice voices", nickname=name[:32])
    said += await says("voice voices", voice=name)
    said += await says("voice status")
    said += await says("prompt persona", text=name)
    said += await says("prompt persona")
    said += await says("lockdown feature", name=name)
    said += await says("lockdown feature", name="text", minutes=1)
    said += await says("lockdown status")
    said += await says("lockdown off")
    said += await says("reload", cog=name)
    said += await says("recordings get", recording=name)
    said += await says("recordings get", recording="aaaa")
    said += await says("recordings list")
    said += await says("privacy status")
    said += await says("draw", prompt=name)
    asked = await ada.type(scene.text, f"{name} hello")
    await scene.reply(ada, asked)

    async def broken(*_args: Any, **_options: Any) -> Any:
        raise SpeechError("The speech engine broke.")
        yield

    monkeypatch.setattr(scene.session.speaker.engine, "stream", broken)
    said += await says("voice say", text=f"say {name}")
    await scene.until(lambda: any("could not say" in text for text in scene.notices()))
    said += await says("voice record", action="stop")
    await report(scene, ada)
    said += await says("privacy delete")
    offered = [
        choice["name"]
        for command, option in (("voice play", "file"), ("recordings get", "recording"), ("lockdown feature", "name"))
        for choice in await ada.autocomplete(scene.text, command, option, "")
    ]
    for text in [*said, *written(scene)]:
        if "could not say" not in text and "Do not press" not in text:  # the pings of these are taken away by Discord
            assert alive(text) is None, text
        else:
            assert not re.search(r"(?<!\\)\]\((?=https)", re.sub("`[^`]*`", "", text)), text
    assert offered
    assert not any(re.search("[\u202e\u200b\n]", text) for text in offered)
    bots = [m for m in scene.text.messages.values() if m.author is scene.bot_user]
    assert bots
    assert not any(message.pings.everyone for message in bots)


def test_a_reason_shows_people_and_nothing_else() -> None:
    reason = "<@123> by hand, [x](https://evil.example) <@&5> @everyone # a"
    told = shown_reason(reason)
    assert told.startswith("<@123> by hand")
    assert alive(told) is None
    assert "<@&" not in told
    assert describe.code(NAMES[0]).count("`") == 2


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("[a](https://evil.example)", r"[a]\(https://evil.example)"),
        ("[a](<https://evil.example>)", r"[a]\(<https://evil.example>)"),
        ("[https://good](  https://evil.example 'x')", r"[https://good]\(  https://evil.example 'x')"),
        ("[[a]](discord://-/x)", r"[[a]]\(discord://-/x)"),
        ("f[0](x) and [b](c)", "f[0](x) and [b](c)"),
        ("`[a](https://x.y)`", "`[a](https://x.y)`"),
        ("```md\n[a](https://x.y)\n```", "```md\n[a](https://x.y)\n```"),
    ],
)
def test_a_models_answer_hides_no_address_behind_words(written: str, shown: str) -> None:
    assert split(written) == [shown]
