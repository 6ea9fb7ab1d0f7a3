"""Sessions are signed by the token that opened them."""

import pytest
from pydantic import SecretStr

from moderator.console.access.sessions import LIFETIME_S, Sessions

TOKEN = "correct-horse-battery"


class Clock:
    def __init__(self) -> None:
        self.now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.mark.parametrize("name", ["ana", "Åse O'Neil", "名前", "a.b.c"])
def test_a_session_gives_back_the_name_until_it_is_over(name: str) -> None:
    clock = Clock()
    sessions = Sessions(SecretStr(TOKEN), clock)
    cookie = sessions.begin(name, TOKEN)

    during = sessions.read(cookie)
    clock.now_ms += LIFETIME_S * 1_000

    assert during is not None
    assert during.name == name
    assert sessions.read(cookie) is None


@pytest.mark.parametrize("cookie", [None, "", ".", "..", "x.y.z", "9999999999.YW5h.00", "é.é.é", "x" * 2_000])
def test_what_we_did_not_sign_is_no_session(cookie: str | None) -> None:
    assert Sessions(SecretStr(TOKEN), Clock()).read(cookie) is None


def test_a_session_that_was_changed_is_none() -> None:
    sessions = Sessions(SecretStr(TOKEN), Clock())
    ends, name, signature = sessions.begin("ana", TOKEN).split(".")

    assert sessions.read(f"{int(ends) + 1}.{name}.{signature}") is None
    assert sessions.read(f"{ends}.Ym9i.{signature}") is None
