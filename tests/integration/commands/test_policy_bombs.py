"""Files made to keep a reader busy: refused in time, however large."""

import time
from pathlib import Path

import pytest

from moderator.policy import load_policies
from moderator.policy.analysis.diff import PolicyDiff, diff
from moderator.policy.syntax.diagnostics import error_text
from tests.unit.policy.folders import POLICY, a_folder, a_policy, a_rule, codes_of, problems_of


@pytest.mark.parametrize(
    "bomb",
    [
        b"[" * 100_000,
        *(pytest.param(each, marks=pytest.mark.long) for each in (b"{" * 100_000, b"- " * 50_000, b"? " * 50_000)),
        *(b"a: " + b"x" * 900_000, b"a: " + b"!" * 900_000, b"a: >\n" + b"  x\n\n" * 180_000, b"\n" * 900_000),
    ],
    ids=lambda bomb: repr(bomb[:6]),
)
def test_a_bomb_is_refused_in_time(tmp_path: Path, bomb: bytes) -> None:
    folder = a_folder(tmp_path)
    (folder / POLICY).write_bytes(bomb)
    began_s = time.thread_time()

    codes = codes_of(folder)

    assert codes == ["P007"]
    assert time.thread_time() - began_s < 5


HEAD = "policy: zz\nabout: x\nowner: x\nrules:\n"
RULE = "  - rule: a\n    about: x\n    mode: live\n    flag: {severity: high, reason: unsafe_content}\n"
MANY_SIGNALS = "".join(f"  safety{n}: {{about: x, from: q{n}, scale: none, good: high}}\n" for n in range(900))


@pytest.mark.parametrize(
    ("files", "least"),
    [
        pytest.param({f"zz{n}.yaml": HEAD + "  - rule: a\n" * 3_300 for n in range(3)}, 30_000, marks=pytest.mark.long),
        ({"zz.yaml": HEAD + "  - " + "\n    ".join(f"{'k' * 50}{n}: 1" for n in range(3_000))}, 3_000),
        (
            {
                "signals.yaml": f"signals:\n{MANY_SIGNALS}",
                "zz.yaml": f"{HEAD}{RULE}    when:\n      any:\n"
                + "".join(f"        - saftey{n}x: below 0.3\n" for n in range(1_000)),
            },
            1_000,
        ),
    ],
    ids=["rules", "keys", "signals"],
)
def test_errors_by_the_thousand_are_all_found_in_time_and_a_log_line_of_them_is_short(
    tmp_path: Path, files: dict[str, str], least: int
) -> None:
    folder = a_folder(tmp_path)
    for name, text in files.items():
        (folder / name).write_text(text)
    began_s = time.thread_time()

    errors = [problem for problem in problems_of(folder) if problem.level == "error"]

    assert len(errors) >= least
    assert time.thread_time() - began_s < 10
    assert len(error_text("cannot use them", errors)) < 100_000


def test_a_folder_that_differs_in_nothing_is_compared_in_time(tmp_path: Path) -> None:
    signals = [f"s{n}" for n in range(6)]
    declared = "".join(f"  {s}: {{about: x, from: o{s}, scale: {{low: 0, high: 1}}, good: high}}\n" for s in signals)
    when = f"any: [{', '.join(f'{s}: below 0.{n}' for n, s in enumerate(signals, start=1))}]"
    rules = [a_rule(when, name=f"r{n}", more=f"applies_to: {{channel: c{n}}}") for n in range(60)]
    policies = load_policies(a_folder(tmp_path, a_policy(*rules), signals=f"signals:\n{declared}"))
    began_s = time.thread_time()

    difference = diff(policies, policies)

    assert difference == PolicyDiff((), "flags the same")
    assert time.thread_time() - began_s < 5


def test_comments_may_be_long(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, a_policy() + "# why\n" * 50_000)

    assert codes_of(folder) == []


def test_aliases_do_not_multiply(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    folder = a_folder(tmp_path)
    (folder / POLICY).write_text("\n".join(lines))

    assert set(codes_of(folder)) <= {"P005", "P011", "P020"}


def test_more_values_than_any_policy_needs_are_refused(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    (folder / POLICY).write_text("[" + "a," * 10_100 + "]")

    assert codes_of(folder) == ["P007"]
