"""Events that try to break a page: markup, control characters, and what is too long."""

from typing import Any

from tests.unit.console.decisions import a_decision

MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'>{{ 7*7 }}"
CONTROL = "\x00\x1b[31m\u202egnp.exe\u2066\u200b\u0301\u0301\r\nnext"
LONG = "W" * 256


def hostile(text: str, number: int) -> dict[str, Any]:
    event = dict.fromkeys(("id", "tenant", "channel", "user", "role", "locale", "conversation_id", "time"), text)
    decision = a_decision(number, flag=True, event={**event, "metadata": {text: text}, "topic": text})
    decision |= {"reasons": [text], "labels": [text], "decision_id": text, "error": text, "framing": text}
    decision["rules"][0] |= {"rule": text, "spared_by": text}
    decision["rules"][0]["conditions"][0] |= {"signal": text, "phrase": text}
    decision["explanation"][0] |= {"objective": text}
    decision["model"] |= {"name": text}
    decision["policy"] |= {"snapshot": text}
    decision["scores"] |= {"signals": {text: 1e300}, "objectives": {text: -1e300}}
    return decision
