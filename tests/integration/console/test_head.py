"""Requests for heads alone, to the console's own server."""

import httpx

from moderator.console import app
from moderator.http import HttpServer
from tests.unit.console.decisions import a_console, a_decision

WHY = f"/decisions/mod_{2:032x}"
PAGES = ("/", "/decisions", "/policies")


def test_what_can_be_read_answers_head_too() -> None:
    server = HttpServer(app.create_app(a_console(a_decision(2, flag=True))), "127.0.0.1", 0)
    port = server.start()
    paths = (*PAGES, WHY, "/playground", "/backtest", "/review", "/api/overview", "/labels.jsonl", "/static/icon.svg")

    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        heads, gets = ([client.request(method, path) for path in paths] for method in ("HEAD", "GET"))
    server.stop()

    assert [each.status_code for each in heads] == [each.status_code for each in gets] == [200] * len(paths)
    assert all(each.content == b"" for each in heads)
    assert [each.headers["content-type"] for each in heads] == [each.headers["content-type"] for each in gets]
