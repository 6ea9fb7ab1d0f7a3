from pathlib import Path

import pytest

from tests.unit.policy.folders import SETTINGS, SIGNALS, a_folder, a_policy, a_rule, codes_of

TEXTS = f"""{SIGNALS}
  slurs:    {{about: Slurs, from_text: {{words: [a, b, c, d, e, f, g]}}}}
  keys:     {{about: Keys, from_text: {{patterns: ['ab+', 'ac+']}}}}
  places:   {{about: Places, from_text: {{patterns: ['ab+', 'ac+'], count: places}}}}
  hosts:    {{about: Hosts, from_text: {{links: [evil.com, evil.org]}}}}
  names:    {{about: Names, from_text: {{words: [idiot], of: metadata.name}}}}
  links:    {{about: Links, from_text: {{links: any}}}}
  capitals: {{about: Capitals, from_text: {{measure: capitals}}}}
  length:   {{about: Length, from_text: {{measure: length}}}}
"""


def codes(folder: Path, when: str, more: str = "") -> list[str]:
    settings = f"{SETTINGS}if_fact_missing: allow\n"
    rule = a_rule(when, more=more, flag="{severity: low, reason: unsafe_content}")
    return codes_of(a_folder(folder, a_policy(rule), signals=TEXTS, settings=settings))


@pytest.mark.parametrize(
    "when",
    [
        "slurs: at least 7",
        "slurs: above 6.5",
        "keys: at least 2",
        "hosts: above 1",
        "places: above 999",
        "links: at least 30",
        "names: missing",
        "any: [{slurs: missing}, {safety: below 0.30}]",
        "all: [{slurs: above 2}, {slurs: below 4}]",
        "all: [{safety: above 0.2}, {safety: below 0.3}]",
        "all: [{capitals: above 0.2}, {capitals: below 0.3}]",
        "length: above 5000",
    ],
)
def test_what_some_text_can_do_is_accepted(tmp_path: Path, when: str) -> None:
    assert codes(tmp_path, when) == []


@pytest.mark.parametrize(
    "when",
    [
        "slurs: missing",
        "capitals: missing",
        "slurs: at least 8",
        "slurs: above 7",
        "names: at least 2",
        "all: [{links: above 2}, {links: below 3}]",
        "all: [{length: above 2.2}, {length: below 2.8}]",
        "any: [{slurs: at least 8}, {all: [{keys: above 1}, {keys: below 2}]}]",
    ],
)
def test_what_no_text_can_do_is_an_error(tmp_path: Path, when: str) -> None:
    assert codes(tmp_path, when) == ["P051"]


def test_what_every_text_does_is_an_error(tmp_path: Path) -> None:
    assert codes(tmp_path, "slurs: at most 7") == ["P050"]
    assert codes(tmp_path / "2", "names: at most 1") == ["P050"]


@pytest.mark.parametrize(
    ("exempt", "found"),
    [
        ("{tenant: '*'}", ["P051"]),
        ("{cut: [nothing, context, message]}", ["P051"]),
        ("{hidden_text: [none, found], channel: '*'}", ["P051"]),
        ("{locale: '*'}", []),
        ("{tenant: 'a*'}", []),
        ("{tenant: '*', role: staff}", []),
        ("{cut: [nothing, context]}", []),
    ],
)
def test_an_exception_that_every_event_fits_is_an_error(tmp_path: Path, exempt: str, found: list[str]) -> None:
    assert codes(tmp_path, "safety: below 0.3", f"except: [{exempt}]") == found
