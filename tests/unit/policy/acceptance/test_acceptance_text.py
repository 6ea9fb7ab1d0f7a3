"""The acceptance list of text signals and lists, on a folder as a community has it.

The number at a name's end is that of the case in the list. Cases 7 to 20 are with the tests of `moderator/policy/text`.
"""

import json
import os
import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

import orjson
import pytest

from moderator.backtest.replay import Replayer, replay_input_of
from moderator.pipeline.decision import encode
from moderator.policy import PolicySet, load_policies
from moderator.policy.analysis.descriptions import describe_rule
from moderator.policy.authoring.decision_text import decision_text
from moderator.policy.authoring.schema import policy_schema
from moderator.policy.files.folder import read_files
from moderator.policy.live.folder_watch import FolderWatch
from moderator.policy.loader import check_folder
from moderator.policy.test_runner import run_tests
from tests.builders import write_files
from tests.unit.policy.community import COMMON_SIGNALS, NEWCOMERS, SETTINGS, TEXTS, decide, outcomes

if TYPE_CHECKING:
    from moderator.events import Decision

SIGNALS = (
    COMMON_SIGNALS
    + """\
  scam-words:  {about: Known scam wording, from_text: {words: lists/scam.txt}}
  keys:        {about: Looks like an access key, from_text: {patterns: lists/keys.txt, compare: exact}}
  bad-links:   {about: Links to listed domains, from_text: {links: lists/domains.txt}}
  links:       {about: How many hosts are linked, from_text: {links: any}}
  loud:        {about: Share of capitals in the title, from_text: {measure: capitals, of: metadata.title}}
  title-size:  {about: Length of the title, from_text: {measure: length, of: metadata.title}}
  talk-of-bot: {about: Chatter about the bot, from_text: {words: [good bot, bad bot]}}
  pings:       {about: Mentions in one message, from_text: {patterns: ['<@!?[0-9]+>'], count: places, compare: exact}}
"""
)
SHOUTING = """\
  - rule: shouting
    about: The title is all capitals.
    mode: live
    when: {all: [{loud: at least 0.9}, {title-size: at least 8}]}
    flag: {severity: low, reason: clutter, action: alert}
  - rule: about-the-bot
    about: Chatter about the bot gets a label, for statistics.
    mode: live
    when: {talk-of-bot: at least 1}
    tag: [bot-chatter]
"""
EITHER = """\
  - rule: either
    about: Scam wording, or unsafe.
    mode: live
    when: {any: [{scam-words: at least 1}, {safety: below 0.3}]}
    flag: {severity: medium, reason: spam}
"""
FILES = {
    "settings.yaml": SETTINGS,
    "signals.yaml": SIGNALS,
    "newcomers.yaml": NEWCOMERS + SHOUTING,
    "texts.yaml": TEXTS,
    "lists/scam.txt": "# known wording\nfree donation\nscam\n",
    "lists/keys.txt": "AKIA[0-9A-Z]{16}\n",
    "lists/domains.txt": "evil.com\n",
}
SCAM = "free donation www.x.org"


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> PolicySet:
    return load_policies(folder_of(tmp_path_factory.mktemp("policies")))


def folder_of(folder: Path, **changed: str) -> Path:
    return write_files(folder, FILES | changed)


def codes(folder: Path) -> list[str]:
    return [problem.code for problem in check_folder(folder)[1]]


def test_words_and_a_link_are_removed_and_named_by_list_and_line(policies: PolicySet) -> None:
    decision = decide(policies, text=SCAM)

    assert (decision["verdict"], decision["action"], decision["queues"]) == ("flag", "remove", ["spam"])
    assert decision["scores"]["signals"]["scam-words"] == 1
    assert decision["found"] == [{"signal": "scam-words", "list": "lists/scam.txt", "lines": [2]}]
    assert set(decision["policy"]["text"]["signals"]) == {
        *("scam-words", "keys", "bad-links", "links", "loud", "title-size", "talk-of-bot", "pings")
    }


def test_a_list_in_place_is_named_with_the_place_in_it(policies: PolicySet) -> None:
    decision = decide(policies, text="such a bad bot")

    assert decision["found"] == [{"signal": "talk-of-bot", "list": "signals.yaml", "lines": [2]}]
    assert (decision["verdict"], decision["labels"]) == ("allow", ["bot-chatter"])


def test_a_text_that_the_event_lacks_is_a_missing_fact_case_19(policies: PolicySet) -> None:
    loud = decide(policies, '{"title": "HELLO WORLD"}')
    without = decide(policies)

    assert (loud["action"], outcomes(loud)["shouting"]) == ("alert", "matched")
    assert (without["status"], outcomes(without)["shouting"]) == ("scored", "unknown")
    missing = encode(without, frozenset({"loud", "title-size"})).missing_scores
    assert {("loud", "absent"), ("title-size", "absent")} <= set(missing)


def test_the_whole_message_counts_however_much_of_it_was_read_case_21(policies: PolicySet) -> None:
    decision = decide(policies, text="padding " * 100_000 + SCAM, cut="message")

    assert outcomes(decision)["scam"] == "matched"


def test_an_unscored_event_is_judged_by_its_text_case_23(policies: PolicySet) -> None:
    decision = decide(policies, text=SCAM, safety=None)

    assert (decision["verdict"], decision["status"], decision["action"]) == ("flag", "unscored", "remove")
    assert decision["reasons"] == ["spam", "unscored"]


def test_any_of_text_and_score_of_an_unscored_event_case_24(tmp_path: Path) -> None:
    either = load_policies(folder_of(tmp_path, **{"newcomers.yaml": NEWCOMERS + SHOUTING + EITHER}))

    assert outcomes(decide(either, text="scam", safety=None))["either"] == "matched"
    assert "either" not in outcomes(decide(either, text="hello", safety=None))


def test_a_cut_message_is_flagged_for_its_words_with_their_action_case_31(policies: PolicySet) -> None:
    cut, scam = (decide(policies, text=text, cut="message") for text in ("hello", SCAM))

    assert (cut["reasons"], cut["action"]) == (["truncated"], None)
    assert (scam["reasons"], scam["action"]) == (["spam"], "remove")


@pytest.mark.parametrize(
    "same", ["scam\nfree donation\n", "\ufefffree donation\r\n\r\n  SCAM  \r\n# a comment\r\nscam\r\n"]
)
def test_comments_order_and_blank_lines_keep_the_snapshot_case_32(
    policies: PolicySet, same: str, tmp_path: Path
) -> None:
    other = folder_of(tmp_path / "a", **{"lists/scam.txt": same})
    edited = folder_of(tmp_path / "b", **{"lists/scam.txt": "free donation\nscams\n"})

    assert load_policies(other).snapshot == policies.snapshot
    assert load_policies(edited).snapshot != policies.snapshot


def test_an_edited_entry_is_taken_up_within_three_polls_case_32(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    watch = FolderWatch(folder)
    watch.poll()
    before = watch.poll()
    (folder / "lists/scam.txt").write_text("free donation\nscam\nwin a prize\n")

    polls = [watch.poll() for _ in range(3)]

    taken = [state.source for state in polls if state is not None]
    assert before is not None
    assert taken
    assert taken[-1] != before.source


def test_a_folder_mounted_by_kubernetes_is_swapped_whole_case_33(tmp_path: Path) -> None:
    """Each volume is mounted as links into a dated folder, one link is swapped, and `lists` is a volume of its own."""
    top, mounted = tmp_path / "policies", tmp_path / "lists-volume"
    write_files(top / "..2026_11_30", {name: text for name, text in FILES.items() if "/" not in name})
    for number, text in enumerate(("scam\n", "scam\nfraud\n")):
        write_files(mounted / f"..{number}", {"scam.txt": text, "keys.txt": "AKIA\n", "domains.txt": "evil.com\n"})
    (top / "..data").symlink_to("..2026_11_30")
    for name in (top / "..data").iterdir():
        (top / name.name).symlink_to(f"..data/{name.name}")
    (mounted / "..data").symlink_to("..0")
    for name in (mounted / "..data").iterdir():
        (mounted / name.name).symlink_to(f"..data/{name.name}")
    (top / "lists").symlink_to(mounted)
    first, watch = load_policies(top), FolderWatch(top)

    (mounted / "..new").symlink_to("..1")
    (mounted / "..new").rename(mounted / "..data")

    state = next(state for state in (watch.poll() for _ in range(3)) if state is not None)
    assert load_policies(cast("dict[str, bytes]", state.files)).snapshot == load_policies(top).snapshot
    assert load_policies(top).snapshot != first.snapshot


def test_a_list_and_what_names_it_are_taken_up_together_case_33(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    watch = FolderWatch(folder)
    watch.poll()

    (folder / "lists/more.txt").write_text("fraud\n")
    between = watch.poll()
    (folder / "signals.yaml").write_text(SIGNALS.replace("lists/scam.txt", "lists/more.txt"))
    later = [watch.poll(), watch.poll()]

    assert (between, later[0]) == (None, None)
    assert later[1] is not None


def test_a_wrong_list_is_an_error_and_nothing_is_loaded_case_33(tmp_path: Path) -> None:
    for number, wrong in enumerate(("", "a\n" * 100_001)):
        folder = folder_of(tmp_path / str(number), **{"lists/scam.txt": wrong})
        assert check_folder(folder)[0] is None
        assert codes(folder) == ["P026"]
    utf_16, missing = (folder_of(tmp_path / name) for name in ("utf-16", "missing"))
    (utf_16 / "lists/scam.txt").write_bytes("scam\n".encode("utf-16"))
    (missing / "lists/scam.txt").unlink()
    outside = folder_of(tmp_path / "outside", **{"signals.yaml": SIGNALS.replace("lists/scam.txt", "../scam.txt")})
    shutil.copy(utf_16 / "lists/keys.txt", tmp_path / "scam.txt")

    assert "P026" in codes(utf_16)
    assert "P026" in codes(missing)
    assert sorted(codes(outside)) == ["P026"]


def test_the_words_are_nowhere_and_the_decision_is_reproduced_without_them_case_34(policies: PolicySet) -> None:
    texts = [SCAM, "Free donation scam at evil.com/x", "a good bot <@1> <@2>", "hello"]
    decisions = [
        decide(policies, '{"title": "HELLO WORLD"}', text=text, safety=safety)
        for text in texts
        for safety in (0.9, None)
    ]
    published = orjson.dumps(decisions)

    for word in ("free", "donation at", "evil.com", "<@1>"):
        assert word.encode() not in published.lower()
    recorded: list[Decision] = orjson.loads(published)
    replayer = Replayer(policies)
    for decision in recorded:
        judged = replayer.judge(replay_input_of(decision))
        assert orjson.loads(orjson.dumps(judged.rules)) == decision["rules"]
        assert (judged.verdict, judged.action, judged.labels) == (
            decision["verdict"],
            decision["action"],
            decision["labels"],
        )
        assert judged.signals == decision["scores"]["signals"]


def test_a_list_that_nothing_names_is_named_case_39(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, **{"lists/unused.txt": "more\n"})
    policies, problems = check_folder(folder)

    assert policies is not None
    assert [(problem.code, problem.level, problem.file) for problem in problems] == [
        ("P008", "warning", "lists/unused.txt")
    ]


def test_a_folder_without_text_signals_says_nothing_of_text_case_44(tmp_path: Path) -> None:
    plain = {"signals.yaml": "signals:\n" + "".join(SIGNALS.splitlines(keepends=True)[1:5])}
    rules = NEWCOMERS.replace("scam-words: at least 1", "karma: at least 1").replace(
        "links: at least 1", "karma: above 1"
    )
    policies = load_policies(write_files(tmp_path, FILES | plain | {"newcomers.yaml": rules}))
    decision = decide(policies, text=SCAM)

    assert policies.text_signals is None
    assert "found" not in decision
    assert "text" not in decision["policy"]


def test_a_test_may_give_a_text_and_metadata_of_signals_case_45(tmp_path: Path) -> None:
    tests = {
        "a text": ({"event": {"speaker": "user"}, "text": SCAM, "scores": {"safety": 0.9}}, {"scam": "matched"}),
        "none": ({"event": {"speaker": "user"}, "scores": {"safety": 0.9}}, {"scam": "not matched"}),
        "a number": (
            {"event": {"speaker": "user"}, "scores": {"safety": 0.9, "scam-words": 2, "links": 1}},
            {"scam": "matched"},
        ),
        "a title": (
            {"event": {"speaker": "user", "metadata.title": "HELLO WORLD"}, "scores": {"safety": 0.9}},
            {"shouting": "matched"},
        ),
        "no title": ({"event": {"speaker": "user"}, "scores": {"safety": 0.9}}, {"shouting": "unknown"}),
        "missing": (
            {"event": {"speaker": "user"}, "scores": {"safety": 0.9, "loud": "missing"}},
            {"shouting": "unknown"},
        ),
    }
    written = [
        {
            "test": name,
            "given": given,
            "expect": {"verdict": "flag" if "matched" in rules.values() else "allow", "rules": rules},
        }
        for name, (given, rules) in tests.items()
    ]
    text = json.dumps({"tests_for": "newcomers", "tests": written})
    policies = load_policies(folder_of(tmp_path, **{"newcomers.test.yaml": text}))

    results = run_tests(policies)

    assert len(results) == len(tests)
    assert [mismatch for result in results for mismatch in result.mismatches] == []


def test_a_folder_of_names_and_texts_has_its_lists_too() -> None:
    files = {name: text.encode() for name, text in FILES.items()}

    assert load_policies(files).text_signals is not None


def test_lists_are_among_the_files_that_are_read_and_hidden_ones_are_not(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, **{"lists/.hidden.txt": "x\n", "lists/notes.md": "x\n"})

    assert [name for name in read_files(folder) if "/" in name] == [
        "lists/domains.txt",
        "lists/keys.txt",
        "lists/scam.txt",
    ]


def test_a_list_that_cannot_be_read_is_an_error_where_it_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "lists/scam.txt").unlink()
    os.mkfifo(folder / "lists/scam.txt")

    assert codes(folder) == ["P026"]


def test_every_code_of_lists_points_at_a_file_and_a_line(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, **{"lists/keys.txt": "# x\n\n(?=a)\n", "lists/domains.txt": "https://evil.com/x\n"})

    assert list(_places(folder)) == ["lists/domains.txt:1:1", "lists/keys.txt:3:1"]


def _places(folder: Path) -> Iterator[str]:
    yield from chain(str(problem.span) for problem in check_folder(folder)[1])


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            "scam",
            "when scam-words (2 entries of lists/scam.txt) is at least 1 and links is at least 1; flag it, high",
        ),
        ("about-the-bot", 'when talk-of-bot ("good bot", "bad bot") is at least 1; tag it "bot-chatter"'),
        ("shouting", "when loud is at least 0.9 and title-size is at least 8 characters; flag it"),
    ],
)
def test_a_rule_read_aloud_names_its_lists(policies: PolicySet, rule: str, words: str) -> None:
    (found,) = (each for each in policies.rules if each.id == f"newcomers/{rule}")

    assert words in describe_rule(found)


def test_an_editor_shows_where_a_text_signal_is_read_from(policies: PolicySet) -> None:
    schema = json.dumps(policy_schema(policies.settings, policies.signals))

    assert "Known scam wording. from 0 entries; read from lists/scam.txt." in schema


def test_a_decision_written_out_names_what_was_found(policies: PolicySet) -> None:
    text = decision_text(decide(policies, text=f"{SCAM} scam, bad bot"), policies)

    assert " found by scam-words: lines 2 and 3 of lists/scam.txt\n" in text
    assert " found by talk-of-bot: entry 2 of signals.yaml\n" in text
