"""The HTTP server's end takes real seconds where a client hangs."""

import asyncio
import contextlib
import threading

import httpx
from fastapi import FastAPI

from moderator.http import HttpServer
from tests.waiting import PATIENCE_S, await_condition


def test_a_request_that_hangs_does_not_hold_up_the_end() -> None:
    app, has_come = FastAPI(), threading.Event()

    @app.get("/hangs")
    async def hangs() -> None:
        has_come.set()
        await asyncio.Event().wait()

    server = HttpServer(app, "127.0.0.1", 0)
    port = server.start()
    threading.Thread(target=_ask, args=(f"http://127.0.0.1:{port}/hangs",), daemon=True).start()
    assert has_come.wait(PATIENCE_S)

    server.stop()

    await_condition(lambda: "http" not in {thread.name for thread in threading.enumerate()})


def _ask(url: str) -> None:
    with contextlib.suppress(httpx.HTTPError):
        httpx.get(url, timeout=60)
