"""Clients of applications in this process, without a socket."""

import atexit
from contextlib import ExitStack
from functools import cache
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi.testclient import TestClient
from starlette.types import ASGIApp


def client_of(app: ASGIApp, **options: Any) -> TestClient:
    """A client whose requests are answered on one event loop, which all clients of a test process share.

    By itself a client starts a thread and a loop for each request.
    """
    client = TestClient(app, **options)
    client.portal = _portal()
    return client


@cache
def _portal() -> BlockingPortal:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(start_blocking_portal())
