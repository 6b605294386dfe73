"""Databases to test on: SQLite in a file, and PostgreSQL where it is installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


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
        control = str(binaries / "pg_ctl")
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        log = str(folder / "log")
        _run([control, "-D", str(folder / "data"), "-o", options, "-l", log, "-w", "start"], account)
        try:
            yield f"postgresql+asyncpg://parley@/postgres?host={folder}"
        finally:
            _run([control, "-D", str(folder / "data"), "-m", "immediate", "stop"], account)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], account: str | None) -> None:
    # Its streams are closed: the server inherits them, and whoever reads them would wait for its end.
    quiet = subprocess.DEVNULL
    subprocess.run(command, check=True, user=account, cwd="/", stdin=quiet, stdout=quiet, stderr=quiet)
