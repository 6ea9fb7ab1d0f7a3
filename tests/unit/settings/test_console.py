"""What can be set for the console, and what is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from moderator.settings import ConsoleSettings


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"token": "short"}, "16 to 512 visible ASCII"),
        ({"scorer_token": "short"}, "16 to 512 visible ASCII"),
        ({"user_header": "X-Forwarded-User"}, "user_header needs trusted_proxies"),
        ({"user_header": "X Forwarded", "trusted_proxies": "::1"}, "name of a header"),
        ({"trusted_proxies": "10.0.0.0/8,proxy.example"}, "addresses or networks"),
        ({"scorer_url": "moderator:8080"}, "http://HOST:PORT"),
        ({"scorer_url": "http://a:1,ftp://b"}, "http://HOST:PORT"),
        ({"content_url": "javascript:alert({event_id})"}, "http:// or https://"),
        ({"content_url": "https://{tenant}.example/"}, "http:// or https:// and a host"),
        ({"content_url": "https://chat.example/{text}"}, "a placeholder that is none of `{tenant}`"),
        ({"content_url": "https://chat.example/{tenant.__class__}"}, "a placeholder that is none of"),
        ({"content_url": "https://chat.example/{tenant!r}"}, "a placeholder that is none of"),
        ({"content_url": "https://chat.example/{"}, "with placeholders"),
        ({"recent_decisions": 0}, "greater than 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        ConsoleSettings(**given)


def test_a_link_may_name_every_field_and_hold_braces() -> None:
    link = "https://chat.example/{tenant}/{conversation_id}?m={event_id}&c={channel}&u={user}&d={decision_id}&x={{}}"

    assert ConsoleSettings(content_url=link).content_url == link
