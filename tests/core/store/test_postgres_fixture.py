"""The PostgreSQL that tests bring up ends with them, however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WAITS = """
import time
def test_waits(postgres, capfd):
    with capfd.disabled():
        print("server at", postgres, flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="its sockets are files")
def test_the_server_ends_with_tests_that_are_killed(postgres: str, tmp_path: Path) -> None:
    (tmp_path / "test_waits.py").write_text(WAITS)
    (tmp_path / "conftest.py").write_text(Path(__file__).with_name("conftest.py").read_text())
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:xdist",
        "-c",
        os.devnull,
        "--rootdir",
        ".",
        "test_waits.py",
    ]
    tests = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert tests.stdout is not None
        line = next(each for each in tests.stdout if "server at" in each)
        folder = Path(line.split("host=")[1].strip())
        server = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        assert folder != Path(postgres.split("host=")[1])
    finally:
        tests.send_signal(signal.SIGKILL)
        tests.communicate()
    until = time.monotonic() + 30
    while (folder.exists() or Path(f"/proc/{server}").exists()) and time.monotonic() < until:
        time.sleep(0.1)
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
