"""The language on one page: what it shows loads, and it shows everything."""

import re
from pathlib import Path

from moderator.policy.authoring.language_page import language_page
from moderator.policy.authoring.schema import policy_schema
from moderator.policy.files.vocabulary import read_vocabulary
from moderator.policy.language.comparisons import COMPARISONS
from tests.pages import ROOT
from tests.unit.policy.community import a_community, community_files


def test_the_page_is_a_policy_without_a_problem(tmp_path: Path) -> None:
    policies = a_community(tmp_path, newcomers=language_page(), texts=None)

    assert policies.warnings == ()
    assert policies.rules[0].id == "newcomers/doubtful-message"


def test_the_page_names_every_phrase_and_every_key(tmp_path: Path) -> None:
    page = language_page()
    schema = policy_schema(*read_vocabulary(community_files(tmp_path)))

    rule = schema["definitions"]["rule"]["properties"]
    keys = {*schema["properties"], *rule, *rule["flag"]["properties"]} - {"labels"}

    assert [key for key in keys if key not in page] == []
    assert [each.form for each in COMPARISONS if not re.search(each.form.format(r"\S+"), page)] == []


def test_the_page_fits_a_terminal_and_stands_in_the_readme() -> None:
    lines = language_page().splitlines()

    assert max(map(len, lines)) <= 80
    assert len(lines) <= 40
    assert language_page() in (ROOT / "README.md").read_text("utf-8")
