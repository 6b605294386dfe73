"""How late this process's event loop is: a debugging aid, switched on by the environment."""

from __future__ import annotations

import asyncio
import json
import os
import sys

VARIABLE = "PARLEY_LOOP_LAG"
STEP_S = 0.01
REPORT_S = 2.0


def watch() -> asyncio.Task[None] | None:
    """Report every two seconds if the environment variable PARLEY_LOOP_LAG is set; the task, to be kept.

    A report is a line of JSON on standard error: `{"loop_lag_ms": [...], "until_s": ...}`: by how much each sleep of 10 ms
    was too long, up to that time of `time.monotonic`.
    """
    if not os.environ.get(VARIABLE):
        return None
    return asyncio.create_task(_watch(), name="loop lag")


async def _watch() -> None:
    loop = asyncio.get_running_loop()
    lags: list[float] = []
    report_s = loop.time() + REPORT_S
    while True:
        due_s = loop.time() + STEP_S
        await asyncio.sleep(STEP_S)
        now_s = loop.time()
        lags.append(round(max(0.0, now_s - due_s) * 1000, 2))
        if now_s >= report_s:
            print(json.dumps({"loop_lag_ms": lags, "until_s": now_s}), file=sys.stderr, flush=True)
            lags, report_s = [], now_s + REPORT_S
