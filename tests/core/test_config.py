"""Settings are checked at start; what is wrong is said with file, key, what was given and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config import CHECKOUT, Environment, load, require_secrets
from core.errors import ConfigError


@pytest.fixture
def refusal(tmp_path: Path):
    def check(text: str) -> str:
        file = tmp_path / "config.toml"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            load(file)
        return caught.value.sentence

    return check


def test_the_shipped_file_holds_the_defaults(tmp_path) -> None:
    empty = tmp_path / "empty.toml"
    empty.touch()
    assert load(CHECKOUT / "config.toml") == load(empty)


def test_an_unknown_key_is_named_with_the_known_ones(refusal) -> None:
    said = refusal("[voice]\nmax_sesions = 2")
    assert said.startswith("config.toml: [voice] max_sesions is not a known key")
    assert "max_sessions" in said


def test_an_unknown_section_is_named_with_the_known_ones(refusal) -> None:
    assert "[vioce] is not a known section; known are: " in refusal("[vioce]\nmax_sessions = 2")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[voice]\nmax_sessions = 'two'", ("[voice] max_sessions = 'two'", "valid integer")),
        ("[voice]\nmax_sessions = 0", ("[voice] max_sessions = 0", "greater than or equal to 1")),
        ("[speech]\nengine = 'festival'", ("[speech] engine = 'festival'", "'espeak'", "'elevenlabs'")),
        ("[speech.websocket]\nurl = 'http://x'", ("[speech.websocket] url = 'http://x'", "ws")),
        ("[model.routes.fast]\nmodel = 'm'", ("[model]", "none named 'default'")),
        ("[model.routes.default]\nmodle = 'm'", ("[model.routes.default] modle is not a known key", "model")),
        ("[voice", ("config.toml is not valid TOML",)),
        ("base = '/'", ("'base' is not a known section",)),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(refusal, text, parts) -> None:
    said = refusal(text)
    for part in parts:
        assert part in said


def test_a_file_that_begins_with_a_mark_of_its_encoding_is_read(tmp_path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[voice]\nmax_sessions = 2", encoding="utf-8-sig")
    assert load(file).voice.max_sessions == 2
    dotenv = tmp_path / ".env"
    dotenv.write_text("DISCORD_TOKEN=one\n", encoding="utf-8-sig")
    assert Environment.read(dotenv)["DISCORD_TOKEN"] == "one"


@pytest.mark.parametrize("name", ["config.toml", ".env"])
def test_a_file_in_another_encoding_is_refused_in_a_sentence(tmp_path, name) -> None:
    file = tmp_path / name
    file.write_text("DISCORD_TOKEN=one\n", encoding="utf-16")
    with pytest.raises(ConfigError, match=rf"^{name} is not written in UTF-8\."):
        load(file) if name == "config.toml" else Environment.read(file)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PARLEY_VOICE__VOLUME", "9", "PARLEY_VOICE__VOLUME in the environment: [voice] volume = '9': input should be"),
        ("PARLEY_VOICE__AUTO_JOIN", "here", "PARLEY_VOICE__AUTO_JOIN in the environment holds no list or table"),
        ("PARLEY_MODEL__ROUTES", "fast", "PARLEY_MODEL__ROUTES in the environment holds no list or table"),
    ],
)
def test_a_bad_variable_is_named(tmp_path, monkeypatch, variable, value, said) -> None:
    file = tmp_path / "config.toml"
    file.touch()
    monkeypatch.setenv("PARLEY_VOICE__SOUNDS", "sounds")
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.sentence.startswith(said)


def test_a_hook_whose_secret_is_not_set_is_refused(tmp_path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[[lockdown.hooks]]\nname = "gpu"\nlock_url = "http://127.0.0.1:1"\nheader_env = { Authorization = "GPU_KEY" }'
    )
    config = load(file)
    with pytest.raises(ConfigError, match=r"gpu: header_env .* “Authorization” from the variable GPU_KEY"):
        require_secrets(config, {})
    require_secrets(config, {"GPU_KEY": "Bearer x"})


def test_every_fault_is_told_at_once(refusal) -> None:
    assert len(refusal("[voice]\nvolume = 9\nbogus = 1\n[log]\nlevel = 'LOUD'").splitlines()) == 3


def test_a_missing_file_that_was_named_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml cannot be read"):
        load(tmp_path / "absent.toml")


def test_the_environment_goes_over_the_file(tmp_path, monkeypatch) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[voice]\nmax_sessions = 2\nvolume = 0.5")
    monkeypatch.setenv("PARLEY_VOICE__MAX_SESSIONS", "3")
    config = load(file)
    assert config.voice.max_sessions == 3
    assert config.voice.volume == 0.5


def test_secrets_come_from_dotenv_under_the_environment_and_never_show(tmp_path, monkeypatch) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("DISCORD_TOKEN=from-file\nOTHER_KEY=only-in-file\n")
    monkeypatch.setenv("DISCORD_TOKEN", "from-process")
    environ = Environment.read(dotenv)
    assert environ["DISCORD_TOKEN"] == "from-process"
    assert environ["OTHER_KEY"] == "only-in-file"
    assert "from" not in repr(environ)
    assert "only" not in str(environ)


def test_relative_paths_start_at_the_checkout() -> None:
    config = load()
    assert config.path("data/x") == CHECKOUT / "data/x"
    absolute = Path.cwd().anchor + "x"
    assert config.path(absolute) == Path(absolute)
