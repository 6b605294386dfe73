"""Databases to test on: SQLite in a file, and PostgreSQL where it is installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

# The server lives as long as a pipe from the tests: it ends with them, also when they are killed.
SERVE = """
"$1" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off > "$2/log" 2>&1 < /dev/null &
read -r _
kill -TERM $!
sleep 0.2
kill -QUIT $! 2> /dev/null
wait
rm -rf "$2"
"""


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL of our own, behind a socket in a folder of ours."""
    found = shutil.which("initdb") or next(
        iter(sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")))), None
    )
    if found is None or importlib.util.find_spec("asyncpg") is None:
        pytest.skip("PostgreSQL's server or asyncpg is not installed")
    account = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
    folder = Path(f"/tmp/parley-pg-{os.getpid()}")  # sockets' paths are short, and the account must come to it
    folder.mkdir(mode=0o700)
    binaries = Path(found).parent
    try:
        if account is not None:
            shutil.chown(folder, account)
        _run([found, "-D", str(folder / "data"), "-A", "trust", "-U", "parley", "-E", "UTF8", "--no-sync"], account)
        server = subprocess.Popen(
            ["/bin/sh", "-c", SERVE, "sh", str(binaries / "postgres"), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=account,
            cwd="/",
            start_new_session=True,  # Ctrl-C is for the tests, which then close the pipe
        )
        try:
            for _ in range(300):
                if _is_ready(folder / "data" / "postmaster.pid"):
                    break
                time.sleep(0.1)
            else:
                raise RuntimeError(f"PostgreSQL does not start: {(folder / 'log').read_text()}")
            yield f"postgresql+asyncpg://parley@/postgres?host={folder}"
        finally:
            assert server.stdin is not None
            server.stdin.close()
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_ready(about: Path) -> bool:
    """Whether the server's file says that it answers; it is written line by line."""
    return about.exists() and about.read_text().split("\n")[7:8] == ["ready   "]


def _run(command: list[str], account: str | None) -> None:
    # Its streams are closed: the server inherits them, and whoever reads them would wait for its end.
    quiet = subprocess.DEVNULL
    subprocess.run(command, check=True, user=account, cwd="/", stdin=quiet, stdout=quiet, stderr=quiet)
