"""`/persona` over a Discord on localhost: which characters there are, and what they are like."""

from __future__ import annotations

import shutil

import pytest

from core.config import CHECKOUT

COGS = ("cogs.voice", "cogs.prompt", "cogs.lockdown", "cogs.persona")


@pytest.fixture
def shipped(scene):
    """The characters that come along, beside the test's own database."""
    shutil.copytree(CHECKOUT / "characters", scene.folder / "characters")
    return scene.folder / "characters"


async def test_the_characters_of_the_folder_are_listed_shown_and_their_faults_told_to_managers(scene, shipped):
    await scene.start(cogs=COGS)
    admin = await scene.person("Root", roles=[scene.admin_role])
    ada = await scene.person()
    (shipped / "odd.toml").write_text('name = "Odd"\nage = 5\n[voice]\nrate = 9\n', encoding="utf-8")
    (shipped / "zed.toml").write_text(
        'name = "Zed"\ndescription = "@everyone [free](https://x.example)"\n', encoding="utf-8"
    )
    told = await scene.run(ada, "persona list")
    assert "Mira" in told
    assert "Zed" in told
    assert "odd.toml" not in told
    told = (await scene.run(admin, "persona list")).replace("\\", "")
    assert "odd.toml: age is not a known key" in told
    assert "odd.toml: voice.rate = 9: input should be" in told
    told = await scene.run(ada, "persona show", character="zed")
    assert "@everyone" not in told
    assert "](https" not in told
    assert "There is no character “nobody”" in await scene.run(ada, "persona show", character="nobody")
