"""`python -m loopback`: one line of JSON, then a Discord that clients of another process can use."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent SIGTERM or SIGINT there")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_prints_one_line_serves_and_stops(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "loopback", "--folder", str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220 (starts at once)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert set(told) == {
            "rest",
            "gateway",
            "ca",
            "guild_id",
            "text_channel_id",
            "voice_channel_id",
            "bot_token",
            "spare_tokens",
        }
        assert Path(told["ca"]) == tmp_path / "ca.pem"
        headers = {"Authorization": f"Bot {told['bot_token']}"}
        async with aiohttp.ClientSession(headers=headers) as http:
            async with http.get(f"{told['rest']}/channels/{told['voice_channel_id']}") as response:
                assert (await response.json())["name"] == "Lounge"
            async with http.ws_connect(told["gateway"]) as gateway:
                assert (await gateway.receive_json())["op"] == 10
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
        assert process.stdout.read() == ""
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_taken_port_is_said_and_ends_with_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "loopback", "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "cannot listen" in ended.stderr
    assert ended.stdout == ""
