"""What lets somebody in is never shown, logged or printed: not by `repr`, not by an error, not by a library's log."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import subprocess
import sys
import typing
from typing import Any

import aiohttp
import pytest
from pydantic import BaseModel

from core.config import Config, load
from core.config.lockdown import HookSection
from core.config.speech import SpeechSection
from core.config.studio import ComfySection
from core.errors import ConfigError, ModelError, ParleyError
from core.llm.messages import ChatMessage
from core.llm.models import Models
from core.llm.routes import Route
from core.lockdown.hooks import HookCall, Hooks
from core.redaction import RedactingFilter, address, redacted
from core.speech.factory import create_engine
from core.studio.comfyui import ComfyUI
from loopback.services.chat import Chat

SECRET = "s3cr3t"
USER = "ada"


def with_secret(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{USER}:{SECRET}@{rest or 'host.example'}"


def section_with_secrets(model: type[BaseModel]) -> dict[str, Any]:
    """A value with a secret in it for every key of a section that takes an address or a table."""
    given: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            given[name] = section_with_secrets(kind)
        elif typing.get_origin(kind) is dict and not name.endswith("_env"):
            inner = typing.get_args(kind)[1]
            is_section = isinstance(inner, type) and issubclass(inner, BaseModel)
            given[name] = {"default" if is_section else "X-Key": section_with_secrets(inner) if is_section else SECRET}
        elif typing.get_origin(kind) is list and isinstance(typing.get_args(kind)[0], type):
            inner = typing.get_args(kind)[0]
            if issubclass(inner, BaseModel):
                given[name] = [section_with_secrets(inner)]
        elif name.endswith("url") or name in ("scheduler", "address"):
            default = (
                "tcp://host.example:8786" if name == "scheduler" else str(field.default or "http://host.example/v1")
            )
            usual = default if "://" in default else "http://host.example/v1"
            given[name] = with_secret(usual)
        elif name in ("lock_body", "unlock_body"):
            given[name] = {"key": SECRET}
        elif field.is_required():
            given[name] = "x"
    return given


def test_no_section_of_the_configuration_shows_a_secret() -> None:
    given = {
        name: section_with_secrets(field.annotation) for name, field in Config.model_fields.items() if name != "base"
    }  # type: ignore[arg-type]
    assert str(given).count(SECRET) > 12  # it is really there
    config = Config(**given)
    for shown in (
        repr(config),
        str(config),
        *(repr(getattr(config, name)) for name in given),
        f"{config.model.routes}",
    ):
        assert SECRET not in shown
    assert "host.example" in repr(config)
    assert config.studio.comfyui.url.count(SECRET) == 1  # what is used is whole


def test_no_route_and_no_hook_shows_a_secret() -> None:
    route = Route(
        "default",
        "m",
        base_url=with_secret("http://models.example/v1"),
        extra_headers={"X-Key": SECRET},
        extra_body={"key": SECRET},
    )
    hook = HookSection(
        name="gpu", lock_url=with_secret("http://h.example"), headers={"X": SECRET}, lock_body={"k": SECRET}
    )
    for shown in (repr(route), route.address, repr(hook), repr(HookCall.on_lock(hook)), str({"a": route})):
        assert SECRET not in shown
        assert USER not in shown.replace("header", "")
    assert route.address == "http://models.example"


@pytest.mark.parametrize(
    "toml",
    [
        '[studio.comfyui]\nurl = "ftp://ada:s3cr3t@host"',
        '[speech.websocket]\nurl = "http://ada:s3cr3t@host"',
        '[store]\nurl = "mysql://ada:s3cr3t@host/db"',
        '[model.routes.default]\nmodel = "m"\napi_key_env = "sk-s3cr3t"',
        '[studio.comfyui]\nheader_env = { Authorization = "Bearer s3cr3t" }',
        '[model.routes.default]\nmodel = "m"\nextra_headers = { key = 5, other = "s3cr3t" }',
        '[model.routes.default]\nmodel = "m"\nbase_url = ["http://ada:s3cr3t@host"]',
        '[[lockdown.hooks]]\nname = "x"\nlock_url = "ada:s3cr3t@host"\nlock_body = "s3cr3t"',
        '[speech.openai]\napi_key_env = "sk-s3cr3t"',
        '[speech.elevenlabs]\napi_key_env = "sk-s3cr3t"',
    ],
)
def test_a_refused_setting_does_not_repeat_its_secret(tmp_path: Any, toml: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(toml, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert SECRET not in str(caught.value)
    assert SECRET not in str(caught.value.__cause__)


async def told_by(what: Any) -> str:
    """The sentence of an error, with its cause as the log has it."""
    with pytest.raises(ParleyError) as caught:
        await what
    return logging.Formatter().formatException((type(caught.value), caught.value, caught.value.__traceback__))


async def open_engine(name: str, table: dict[str, Any]) -> None:
    engine = create_engine(SpeechSection.model_validate({"engine": name, name: table}), {}, typing.cast("Any", None))
    try:
        assert SECRET not in engine.address
        await engine.open()
    finally:
        await engine.close()


async def test_no_sentence_about_a_server_that_is_away_holds_a_secret() -> None:
    http, ws = "http://ada:s3cr3t@127.0.0.1:9/x?api_key=s3cr3t", "ws://ada:s3cr3t@127.0.0.1:9/x?token=s3cr3t"
    hooks = Hooks({})
    models = Models({"default": Route("default", "m", base_url=http, retries=0)}, environ={})

    async def ask() -> None:
        async for _ in models.stream([ChatMessage("user", "hi")]):
            pass

    async def sketch() -> None:
        async for _ in ComfyUI(ComfySection(url=http)).draw({}):
            pass

    told = [
        await told_by(ask()),
        await told_by(sketch()),
        await told_by(hooks.call(HookCall("gpu", http))),
        await told_by(open_engine("piper", {"url": http})),
        await told_by(open_engine("openai", {"base_url": http})),
        await told_by(open_engine("websocket", {"url": ws})),
        await told_by(open_engine("elevenlabs", {"url": ws, "voice_id": "v"})),
        (await models.check()).problem,
    ]
    await models.close()
    await hooks.close()
    for each in told:
        assert each
        assert SECRET not in redacted(each)
        assert SECRET not in each.strip().splitlines()[-1]  # the sentence itself


async def test_user_and_password_of_a_model_server_reach_it_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Chat() as chat:
        route = Route("default", "m", base_url=chat.base_url.replace("://", f"://{USER}:{SECRET}@"), retries=0)
        models = Models({"default": route}, environ={})
        assert [text async for text in models.stream([ChatMessage("user", "hi")])]
        chat.script(status=500, error=f"you are {SECRET}")
        with contextlib.suppress(ModelError):
            async for _ in models.stream([ChatMessage("user", "hi")]):
                pass
        await models.close()
        assert chat.requests[0].headers["Authorization"] == "Basic YWRhOnMzY3IzdA=="
    assert SECRET not in caplog.text
    assert "YWRhOnMzY3IzdA" not in caplog.text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("at http://ada:pw@host/x!", "at http://***@host/x!"),
        ("wss://tok@host", "wss://***@host"),
        ("http://a:p@ss@host/", "http://***@host/"),
        ("http://a:p/a@host/", "http://***@host/"),
        ("GET https://h/x?a=1&api_key=K&b=2 and ?token=T#x", "GET https://h/x?a=1&api_key=***&b=2 and ?token=***#x"),
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer ***"),
        ("invalid address 'ada:pw@127.0.0.1:8786'; maybe", "invalid address '***@127.0.0.1:8786'; maybe"),
        (
            f"POST https://discord.com/api/v10/webhooks/123/{'aB-_3' * 13}?wait=true has",
            "POST https://discord.com/api/v10/webhooks/123/***?wait=true has",
        ),
        (f"/interactions/9/{'aW50=' * 20}/callback", "/interactions/9/***/callback"),
        (
            f"{{'id': '1', 'token': '{'x' * 68}', \"token\": \"{'y' * 68}\"}}",
            "{'id': '1', 'token': '***', \"token\": \"***\"}",
        ),
        ("mail ada@example.org, https://example.org/@ada", "mail ada@example.org, https://example.org/@ada"),
    ],
)
def test_what_is_taken_out_of_a_text(text: str, clean: str) -> None:
    assert redacted(text) == clean
    assert redacted(clean) == clean


def test_addresses_are_shown_without_what_opens_them() -> None:
    assert address("http://ada:pw@[::1]:80/v1/?key=x#y") == "http://[::1]:80/v1"
    assert address("http://ada:p/w@host/v1") == "http://host/v1"
    assert address("http://ada:p#w@host/v1") == "http://host/v1"


def test_redacting_takes_time_in_proportion() -> None:
    """Counted by the clock only to tell a hang from an answer."""
    for piece in ("://", "://a:", "?key=", "a", "bearer ", "://@", "/webhooks/1", "'token': '", "/interactions/1/a"):
        redacted(piece * (100_000 // len(piece)))


class Anew(logging.Formatter):
    """Writes exceptions as they are, whatever was written before: discord.py's coloured formatter does."""

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None
        return super().format(record)


@pytest.mark.parametrize("name", ["core.anything.deep", "core.made.later", "cogs.recorder"])
def test_what_we_log_in_somebody_elses_bot_is_redacted_before_their_handlers_see_it(name: str) -> None:
    importlib.import_module("cogs.recorder")
    stream = io.StringIO()
    theirs = logging.StreamHandler(stream)
    theirs.setFormatter(Anew())
    logging.getLogger().addHandler(theirs)
    log = logging.getLogger(name)
    try:
        log.warning("asked %s", with_secret("http://host/x"))
        try:
            raise aiohttp.InvalidURL(with_secret("http://host"))
        except aiohttp.InvalidURL:
            log.exception("it broke")
        log.warning("wrong %d", with_secret("http://host/y"), stack_info=True)
        try:
            raise ValueError("plain")
        except ValueError:
            log.exception("it broke as well")
    finally:
        logging.getLogger().removeHandler(theirs)
    written = stream.getvalue()
    assert SECRET not in written
    for kept in ("***@host/x", "it broke", "InvalidURL", "***@host/y", "it broke as well", "ValueError: plain"):
        assert kept in written


def test_warnings_reach_stderr_where_nobody_configured_logging() -> None:
    told = "import core, logging; log = logging.getLogger('core.x'); log.warning('at http://a:s3cr3t@host'); log.info('no')"
    run = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert run.stderr == "at http://***@host\n"
    assert not run.stdout


def test_the_log_of_other_peoples_libraries_is_redacted() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    log = logging.getLogger("foreign")
    log.addHandler(handler)
    log.propagate = False
    log.setLevel(logging.DEBUG)
    try:
        log.info("HTTP Request: %s %s", "POST", with_secret("http://host/x"))
        try:
            raise aiohttp.InvalidURL(with_secret("http://host"))
        except aiohttp.InvalidURL:
            log.exception("it broke")
        log.info("wrong %d", "x")
    finally:
        log.removeHandler(handler)
    assert SECRET not in stream.getvalue()
    assert "***@host/x" in stream.getvalue()
