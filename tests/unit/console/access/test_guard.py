"""Who may ask, and which writes count as our own pages'."""

import asyncio
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from moderator.console.access.guard import own_path
from moderator.console.access.sessions import COOKIE
from moderator.settings import ConsoleSettings, Settings
from tests.unit.console.decisions import NO_POLICIES, NOW_MS, LabelList, a_browser, a_console, a_decision

TOKEN = "correct-horse-battery"
OTHER = "another-token-for-it"
LABEL = {"decision_id": f"mod_{1:032x}", "judgement": "right"}


def _client(*, base_url: str = "http://console.example", client: str = "198.51.100.7", **given: Any) -> TestClient:
    console_settings = ConsoleSettings(**({"token": f"{TOKEN}, {OTHER}"} | given))
    settings = Settings(console=console_settings, policies=NO_POLICIES)
    console = a_console(a_decision(1), settings=settings, sink=LabelList())
    return a_browser(console, base_url=base_url, client=(client, 50_000), follow_redirects=False)


def _form_token(page: Any) -> str:
    found = re.search(r'name="csrf_token" value="([0-9a-f]+)"', page.text)
    assert found
    return found[1]


def _log_in(client: TestClient, token: str = TOKEN, name: str = "ana", **more: str) -> Any:
    form = {"token": token, "name": name, "csrf_token": _form_token(client.get("/login")), "next": "/policies"}
    return client.post("/login", data=form | more)


def test_without_a_session_a_page_leads_to_the_login_and_a_program_is_refused() -> None:
    client = _client()

    page, program = client.get("/decisions?verdict=flag"), client.get("/api/decisions")

    assert (page.status_code, page.headers["location"]) == (303, "/login?next=/decisions%3Fverdict%3Dflag")
    assert (program.status_code, program.json()["error"]["code"]) == (401, "invalid_api_key")
    assert client.get("/labels.jsonl").status_code == 401
    assert client.get("/parts/source", headers={"HX-Request": "true"}).headers["hx-redirect"] == "/login"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/static/console.css", "/login"])
def test_probes_static_files_and_the_login_are_open(path: str) -> None:
    assert _client().get(path).status_code == 200


@pytest.mark.parametrize("token", [TOKEN, OTHER])
def test_whoever_has_a_token_logs_in_and_goes_on_to_the_page_that_was_wanted(token: str) -> None:
    client = _client()

    with capture_logs() as lines:
        answer = _log_in(client, token)

    assert (answer.status_code, answer.headers["location"]) == (303, "/policies")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert client.get("/decisions").status_code == 200
    assert [(line["event"], line.get("name")) for line in lines] == [("login", "ana")]


def test_a_wrong_token_is_refused_and_logged_without_it() -> None:
    client = _client()

    with capture_logs() as lines:
        answer = _log_in(client, "wrong-horse-battery")

    assert answer.status_code == 401
    assert 'data-testid="login-error"' in answer.text
    assert "wrong-horse" not in answer.text
    assert [(line["event"], line["address"]) for line in lines] == [("login_failed", "198.51.100.7")]
    assert "wrong-horse" not in str(lines)


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\x00b"])
def test_a_name_has_1_to_64_characters(name: str) -> None:
    assert _log_in(_client(), name=name).status_code == 400


def test_after_more_than_five_wrong_tokens_an_address_has_to_wait_even_with_a_right_one() -> None:
    client = _client()
    for _ in range(3):
        _log_in(client, "wrong-horse-battery")
        client.get("/api/decisions", headers={"Authorization": "Bearer wrong-horse-battery"})

    form, program = _log_in(client), client.get("/api/decisions", headers={"x-api-key": TOKEN})

    assert (form.status_code, program.status_code) == (429, 429)
    assert 1 <= int(form.headers["retry-after"]) <= 60
    assert 1 <= int(program.headers["retry-after"]) <= 60
    client._transport.client = ("198.51.100.8", 1)  # type: ignore[attr-defined]
    assert _log_in(client).status_code == 303


def test_a_session_ends_with_its_token_and_after_twelve_hours() -> None:
    client = _client()
    _log_in(client)
    cookie = {COOKIE: client.cookies[COOKIE]}

    assert _client().get("/", headers=_cookie(cookie)).status_code == 200
    assert _client(token=OTHER).get("/", headers=_cookie(cookie)).status_code == 303
    late = _client()
    console = late.app.state.console  # type: ignore[attr-defined]
    assert console.now_ms() == NOW_MS


def _cookie(cookies: dict[str, str]) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


def test_who_logs_out_has_no_session() -> None:
    client = _client()
    _log_in(client)

    answer = client.post("/logout", data={"csrf_token": _form_token(client.get("/"))})

    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert client.get("/").status_code == 303


def test_programs_send_a_token_and_are_named_api() -> None:
    client = _client()

    saved = client.post("/api/labels", json=LABEL, headers={"Authorization": f"Bearer {OTHER}"})

    assert (saved.status_code, saved.json()["reviewer"], saved.json()["reviewer_from"]) == (201, "api", "token")


def test_on_this_machine_nobody_logs_in_and_only_its_own_names_are_answered() -> None:
    given: dict[str, Any] = {"token": None}

    assert _client(base_url="http://localhost:8090", **given).get("/").status_code == 200
    assert _client(base_url="http://[::1]:8090", **given).get("/").status_code == 200
    foreign = _client(base_url="http://rebound.example:8090", **given).get("/")
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Origin": "http://console.example"}, 201),
        ({"Origin": "http://CONSOLE.example", "Sec-Fetch-Site": "same-origin"}, 201),
        ({"Origin": "https://console.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 403),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 403),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 403),
        ({"Content-Type": "application/json; charset=utf-8"}, 201),
    ],
)
def test_a_write_from_another_site_is_refused(headers: dict[str, str], status: int) -> None:
    client = _client()
    _log_in(client)

    answer = client.post("/api/labels", json=LABEL, headers=headers)

    assert answer.status_code == status
    assert status == 201 or answer.json()["error"]["code"] == "csrf"


def test_a_form_of_another_session_is_refused() -> None:
    first, second = _client(), _client()
    _log_in(first)
    _log_in(second, name="bob")

    stolen = _form_token(second.get("/"))

    assert first.post("/logout", data={"csrf_token": stolen}).status_code == 403
    assert first.post("/logout", data={}).status_code == 403
    assert first.post("/login", data={"token": TOKEN, "name": "eve"}).status_code == 403


def test_a_form_that_is_too_long_is_refused() -> None:
    assert _log_in(_client(), more="x" * 70_000).status_code == 413


PROXIED: dict[str, Any] = {"token": None, "user_header": "X-Forwarded-User", "trusted_proxies": "10.0.0.0/8, ::1"}


def test_a_trusted_proxy_names_the_user() -> None:
    client = _client(client="10.1.2.3", **PROXIED)

    answer = client.post("/api/labels", json=LABEL, headers={"X-Forwarded-User": "ana@example.com"})

    assert (answer.json()["reviewer"], answer.json()["reviewer_from"]) == ("ana@example.com", "proxy")


@pytest.mark.parametrize("address", ["198.51.100.7", "not an address", "192.168.0.1"])
def test_from_others_the_header_is_ignored(address: str) -> None:
    client = _client(client=address, **PROXIED)

    assert client.get("/", headers={"X-Forwarded-User": "ana"}).status_code == 303


def test_a_trusted_proxy_without_the_header_is_nobody() -> None:
    assert _client(client="10.1.2.3", **PROXIED).get("/").status_code == 303


def test_the_header_wins_over_a_session() -> None:
    client = _client(client="10.1.2.3", **(PROXIED | {"token": TOKEN}))
    _log_in(client)

    answer = client.post("/api/labels", json=LABEL, headers={"X-Forwarded-User": "bob"})

    assert (answer.json()["reviewer"], answer.json()["reviewer_from"]) == ("bob", "proxy")


def test_behind_https_the_cookie_is_secure_and_the_origin_is_the_browsers() -> None:
    client = _client(client="10.1.2.3", **(PROXIED | {"token": TOKEN}))
    client.headers |= {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "mod.example"}

    login = _log_in(client)
    ours = client.post("/api/labels", json=LABEL, headers={"Origin": "https://mod.example", **_session(login)})
    theirs = client.post("/api/labels", json=LABEL, headers={"Origin": "http://mod.example", **_session(login)})

    assert "Secure" in login.headers["set-cookie"]
    assert (ours.status_code, theirs.status_code) == (201, 403)


def test_limits_go_by_the_last_address_that_is_no_trusted_proxy() -> None:
    client = _client(client="10.1.2.3", **(PROXIED | {"token": TOKEN}))
    for number in range(6):
        client.headers["X-Forwarded-For"] = f"203.0.113.{number}, 198.51.100.9, 10.9.9.9"
        _log_in(client, "wrong-horse-battery")

    assert _log_in(client).status_code == 429
    client.headers["X-Forwarded-For"] = "198.51.100.9, 198.51.100.10"
    assert _log_in(client).status_code == 303


def _session(answer: Any) -> dict[str, str]:
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("/policies", "/policies"),
        ("/decisions?verdict=flag", "/decisions?verdict=flag"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_after_the_login_only_pages_of_ours_come_next(wanted: str, path: str) -> None:
    assert own_path(wanted) == path


def test_a_login_takes_a_form_alone_so_that_nobody_unknown_fills_the_memory() -> None:
    client = _client()

    assert client.post("/login", json={"token": TOKEN, "name": "eve"}).status_code == 403
    _log_in(client)
    assert client.post("/logout", json={}).status_code == 403


def test_each_wrong_token_of_a_request_counts() -> None:
    client = _client()
    wrong = {"Authorization": "Bearer wrong-horse-battery", "x-api-key": "wrong-horse-saddle"}
    statuses = [client.get("/api/decisions", headers=wrong).status_code for _ in range(4)]

    assert statuses == [401, 401, 401, 429]


def test_a_request_with_many_tokens_is_none_of_ours_and_counts() -> None:
    client = _client()
    many = [("x-api-key", f"wrong-horse-{each}") for each in range(9)] + [("x-api-key", TOKEN)]
    statuses = [client.get("/api/decisions", headers=many).status_code for _ in range(7)]

    assert statuses == [401] * 6 + [429]


def test_of_two_names_in_the_proxys_header_neither_counts() -> None:
    client = _client(**PROXIED, client="10.1.2.3")

    answer = client.get("/api/decisions", headers=[("X-Forwarded-User", "root"), ("X-Forwarded-User", "ana")])

    assert answer.status_code == 401


def test_addresses_in_several_headers_are_one_list() -> None:
    client = _client(trusted_proxies="10.0.0.0/8", client="10.1.2.3")
    for _ in range(6):
        hops = [("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-For", "10.9.9.9"), ("x-api-key", "wrong-horse")]
        assert client.get("/api/decisions", headers=hops).status_code == 401

    other = client.get("/api/decisions", headers={"X-Forwarded-For": "198.51.100.2", "x-api-key": TOKEN})
    same = client.get("/api/decisions", headers={"X-Forwarded-For": "198.51.100.1", "x-api-key": TOKEN})

    assert (other.status_code, same.status_code) == (200, 429)


@pytest.mark.parametrize("address", ["198.51.100.1:{port}", "[2001:db8::1]:{port}"])
def test_a_new_port_is_no_new_address(address: str) -> None:
    client = _client(trusted_proxies="10.0.0.0/8", client="10.1.2.3")
    statuses = [
        client.get(
            "/api/decisions", headers={"X-Forwarded-For": address.format(port=port), "x-api-key": "wrong-horse"}
        ).status_code
        for port in range(50_000, 50_007)
    ]

    assert statuses == [401] * 6 + [429]


@pytest.mark.parametrize(
    ("last", "other"),
    [("2001:db8::{n}", "2001:db8:0:1::1"), ("::ffff:198.51.100.1", "::ffff:198.51.100.2")],
)
def test_one_network_of_ipv6_is_one_client(last: str, other: str) -> None:
    client = _client(trusted_proxies="10.0.0.0/8", client="10.1.2.3")
    for n in range(6):
        wrong = {"X-Forwarded-For": last.format(n=n), "x-api-key": "wrong-horse"}
        assert client.get("/api/decisions", headers=wrong).status_code == 401

    same = client.get("/api/decisions", headers={"X-Forwarded-For": last.format(n=9), "x-api-key": TOKEN})
    another = client.get("/api/decisions", headers={"X-Forwarded-For": other, "x-api-key": TOKEN})

    assert (same.status_code, another.status_code) == (429, 200)


@pytest.mark.parametrize("path", ["/review/", "/api/overview/", "/healthz/", "/static"])
def test_no_answer_leads_to_the_host_that_a_request_names(path: str) -> None:
    answer = _client().get(path, headers={"Host": "evil.example", "x-api-key": TOKEN})

    assert (answer.status_code, answer.headers.get("location")) == (404, None)


def test_an_unknown_static_file_shows_nothing_of_the_console() -> None:
    answer = _client().get("/static/nothing.js")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_client_that_hangs_up_within_its_form_is_no_fault_of_ours() -> None:
    app = _client().app
    form = [(b"host", b"console.example"), (b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "method": "POST", "path": "/login", "query_string": b"", "headers": form, "app": app}
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    with capture_logs() as lines:
        asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]

    assert (sent, lines) == ([], [])


def test_every_answer_names_its_request() -> None:
    client = _client()

    given = client.get("/healthz", headers={"X-Request-ID": "abc-1"})
    made = client.get("/")

    assert given.headers["x-request-id"] == "abc-1"
    assert re.fullmatch(r"req_[0-9a-f]{32}", made.headers["x-request-id"])


def test_a_fault_of_ours_gives_a_page_with_the_requests_id_and_never_a_value() -> None:
    console = a_console(a_decision(1))
    object.__setattr__(console, "recent", None)
    client = a_browser(console, raise_server_exceptions=False)

    with capture_logs() as lines:
        page, program = client.get("/"), client.get("/api/overview")

    assert (page.status_code, program.status_code) == (500, 500)
    assert page.headers["x-request-id"] in page.text
    assert "Traceback" not in page.text
    assert program.json()["error"]["code"] == "internal"
    assert [line["event"] for line in lines] == ["page_failed", "page_failed"]


@pytest.mark.parametrize("path", ["/api/nothing", "/api"])
def test_an_unknown_address_for_programs_is_refused_in_json(path: str) -> None:
    answer = a_browser(a_console()).get(path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_another_method_is_refused() -> None:
    answer = a_browser(a_console()).post("/api/overview", json={})

    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD"
