"""Parley's command line: run the bot, show what it does, find what is wrong, or start a Discord on localhost."""

from __future__ import annotations

import argparse
import io
import logging
import sys

CHATTY = ("discord", "alembic", "openai")
TELLING = ("websockets", "httpx", "httpcore", "httpx2", "httpcore2", "aiosqlite")  # their details hold keys or data
LOG_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run what it names; gives the exit code."""
    parser = argparse.ArgumentParser(prog="launcher.py", description=__doc__)
    parser.add_argument("--verbose", action="store_true", help="log more")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run the bot; the token comes from DISCORD_TOKEN or .env")
    run.add_argument("--config", metavar="FILE", help="settings to use instead of config.toml")
    run.add_argument("--discord", metavar="URL", help="REST address of another Discord than the public one")
    run.add_argument("--ca", metavar="FILE", help="certificate authority of that Discord's voice servers")
    run.add_argument("--cogs", metavar="NAMES", help="only these cogs, separated by commas")

    demo = commands.add_parser("demo", help="a conversation on a Discord on localhost: no token, server or download")
    demo.add_argument("--out", metavar="DIR", default="demo-out", help="where heard.wav and report.json go")

    doctor = commands.add_parser("doctor", help="look at everything the bot needs and say how to mend what is missing")
    doctor.add_argument("--config", metavar="FILE", help="settings to look at instead of config.toml")
    doctor.add_argument("--discord", metavar="URL", help=argparse.SUPPRESS)
    doctor.add_argument("--ca", metavar="FILE", help=argparse.SUPPRESS)

    loopback = commands.add_parser("loopback", help="a Discord on localhost, for clients in any language")
    loopback.add_argument("--port", type=int, default=0, help="port of REST and gateway; a free one by default")
    loopback.add_argument(
        "--folder", metavar="DIR", help="where certificates and uploads go; a temporary one by default"
    )

    models = commands.add_parser("models", help="the speech models that are here; fetch one, or remove it")
    models.add_argument("--config", metavar="FILE", help="settings to look at instead of config.toml")
    actions = models.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("list", help="what is here, and what can be fetched")
    get = actions.add_parser("get", help="fetch a model into the folder of models")
    get.add_argument("name", metavar="NAME", help="such as small, or what to call one that --from names")
    get.add_argument("--from", dest="source", metavar="WHERE", help="a repository of the hub (OWNER/NAME), or a folder")
    removal = actions.add_parser("remove", help="delete a model from the folder of models")
    removal.add_argument("name", metavar="NAME")

    arguments = parser.parse_args(argv)
    _prepare_output(verbose=arguments.verbose)
    return _dispatch(arguments)


def _prepare_output(*, verbose: bool) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console of few characters must not end the bot
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    from core.redaction import RedactingFilter

    for handler in logging.getLogger().handlers:
        handler.addFilter(RedactingFilter())
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.DEBUG if verbose else logging.WARNING)
    for telling in TELLING:
        logging.getLogger(telling).setLevel(logging.INFO if verbose else logging.WARNING)


def _dispatch(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "run":
            from launch.run import run

            return run(arguments)
        case "demo":
            from launch.demo import demo

            return demo(arguments)
        case "doctor":
            from launch.doctor import doctor

            return doctor(arguments)
        case "models":
            from launch.models import models

            return models(arguments)
        case _:
            from loopback.__main__ import main as loopback

            options = ["--port", str(arguments.port)] + (["--folder", arguments.folder] if arguments.folder else [])
            return loopback(options)


if __name__ == "__main__":
    sys.exit(main())
