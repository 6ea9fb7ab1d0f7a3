"""Whatever may lie in a policy folder is read, or refused in words; never a crash, never passed over in silence."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from moderator.errors import ConfigurationError, PolicyError
from moderator.policy import load_policies
from moderator.policy.files.folder import MAX_FILE_BYTES
from moderator.policy.syntax.diagnostics import Diagnostic, Diagnostics, did_you_mean
from tests.unit.policy.folders import (
    CHAT_SAFETY,
    EXEMPTIONS,
    POLICY,
    SETTINGS,
    SIGNALS,
    a_folder,
    a_policy,
    a_rule,
    codes_of,
    problems_of,
)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"cannot read the policy folder `.*nowhere`: no such file or directory"):
        load_policies(tmp_path / "nowhere")


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "policies"
    path.write_text("policy: x")

    with pytest.raises(PolicyError, match="not a directory"):
        load_policies(path)


def test_an_empty_folder_is_an_error_and_allows_nothing(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="the folder is empty"):
        load_policies(tmp_path)


def test_the_error_holds_every_problem_of_every_file(tmp_path: Path) -> None:
    folder = a_folder(
        tmp_path,
        a_policy(a_rule("safty: below 0.30")),
        a_policy(a_rule("safety: below 30"), name="other"),
        signals=SIGNALS.replace("good: high", "good: hihg", 1),
    )
    (folder / "settings.yaml").write_text(SETTINGS + "extra: 1\n")

    with pytest.raises(ConfigurationError) as caught:
        load_policies(folder)

    text = str(caught.value)
    assert text.startswith(f"cannot use the policies in `{folder}`: 3 errors\n")
    assert [code for code in ("P010", "P011", "P014") if f"error {code} " in text] == ["P010", "P011", "P014"]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_byte_order_mark_and_line_ends_do_not_matter(tmp_path: Path, ends: str, mark: str) -> None:
    plain = load_policies(a_folder(tmp_path / "plain"))
    folder = a_folder(tmp_path / "other")
    for path in folder.glob("*.yaml"):
        path.write_bytes((mark + path.read_text().replace("\n", ends)).encode())

    assert load_policies(folder).snapshot == plain.snapshot


def test_hidden_files_other_files_and_subfolders_are_not_read(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    (folder / ".hidden.yaml").write_text("{")
    (folder / "README.md").write_text("{")
    (folder / "notes.yaml.bak").write_text("{")
    (folder / "calibration" / "broken.yaml").write_text("{")
    (folder / "calibration" / ".hidden.json").write_text("{")

    assert codes_of(folder) == ["P008"]  # of notes.yaml.bak, which looks like a policy


def test_a_yml_file_counts_as_much_as_a_yaml_file(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    (folder / POLICY).rename(folder / "policy-0.yml")
    (folder / "settings.yaml").rename(folder / "settings.yml")

    assert load_policies(folder).rule_count == 1


def test_links_are_followed_as_in_a_config_map(tmp_path: Path) -> None:
    real = a_folder(tmp_path / "..data")
    folder = tmp_path / "policies"
    folder.mkdir()
    for path in real.iterdir():
        (folder / path.name).symlink_to(path)

    assert load_policies(folder).rule_count == 1


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def link_to_nowhere(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def named_pipe(path: Path) -> None:
    os.mkfifo(path)


def too_large(path: Path) -> None:
    path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))


@pytest.mark.parametrize("make", [Path.mkdir, link_to_itself, link_to_nowhere, named_pipe, too_large])
def test_what_is_no_readable_file_is_an_error(tmp_path: Path, make: object) -> None:
    folder = a_folder(tmp_path)

    assert callable(make)
    make(folder / "x.yaml")

    assert [(problem.code, problem.file) for problem in problems_of(folder)] == [("P002", "x.yaml")]


@pytest.mark.parametrize(
    "content",
    [
        a_policy().encode("utf-16"),
        a_policy().encode("utf-16-be"),
        b"policy: caf\xe9\n",
        b"policy: a\x00b\n",
        b"policy: a\x1b[31mb\n",
        "policy: a\u2028b\n".encode(),
        "policy: a\u202eb\n".encode(),
        b'policy: "\\ud83d"\n',
        rb'policy: "a\e[31mb"',
        rb'policy: "acme\u200e"',
    ],
)
def test_text_that_is_not_plain_utf_8_is_an_error(tmp_path: Path, content: bytes) -> None:
    folder = a_folder(tmp_path)
    (folder / POLICY).write_bytes(content)

    problems = problems_of(folder)

    assert "P003" in {problem.code for problem in problems}
    assert all(text.isprintable() for problem in problems for text in str(problem).splitlines())


@pytest.mark.parametrize(
    "tenant",
    [
        *(
            "acme\u200e",
            "acme\u200f",
            "ac\u00adme",
            "ac\u2060me",
            "acme\u3164",
            "ac\u2800me",
            "ac\ufffcme",
            "acme\U000e0061",
            "\u061cacme",
        ),
        *("acme\u200d", "ac\u200c\u200dme", "acme\ufe0f", "acme\u00a0", "\u3000acme"),
    ],
)
def test_a_value_that_only_looks_like_another_is_an_error(tmp_path: Path, tenant: str) -> None:
    folder = a_folder(tmp_path, a_policy(head=f"applies_to: {{tenant: {tenant}}}"))

    problems = [problem for problem in problems_of(folder) if problem.code == "P003"]

    assert [problem.file for problem in problems] == [POLICY]
    assert all(text.isascii() for text in (problems[0].message, problems[0].hint))


@pytest.mark.parametrize(
    "tenant",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "API\u200c\u0647\u0627",
        "\u2764\ufe0f",
        "1\ufe0f\u20e3",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "caf\u00e9",
    ],
)
def test_joiners_are_no_fault_in_scripts_and_emoji_that_need_them(tmp_path: Path, tenant: str) -> None:
    folder = a_folder(tmp_path, a_policy(head=f"applies_to: {{tenant: {tenant}}}"))

    assert codes_of(folder) == []


def test_a_text_of_several_lines_is_no_fault(tmp_path: Path) -> None:
    policy = a_policy().replace("about: What it is for.", "about: |\n  What it is for.\n  And\twhy.")

    assert codes_of(a_folder(tmp_path, policy)) == []


def test_a_directive_is_refused_wherever_the_parser_would_take_it(tmp_path: Path) -> None:
    text = f"# ours\n%YAML 1.3\n---\n{a_policy()}...\n%YAML 1.3\n"

    problems = problems_of(a_folder(tmp_path, text))

    assert [(problem.code, problem.span and problem.span.line) for problem in problems] == [
        ("P005", 2),
        ("P005", text.count("\n")),
    ]


@pytest.mark.parametrize("escape", [r"\U00110000", r"\UFFFFFFFF"])
def test_an_escape_beyond_the_last_character_is_placed(tmp_path: Path, escape: str) -> None:
    (problem,) = problems_of(a_folder(tmp_path, a_policy(head=f'applies_to: {{tenant: "a{escape}"}}')))

    assert (problem.code, str(problem.span)) == ("P004", f"{POLICY}:4:24")


def test_a_name_with_a_line_end_does_not_pass_for_another_problem(tmp_path: Path) -> None:
    settings = SETTINGS.replace("speaker: always", r'"a\nerror P001": x, speaker: always')

    problems = problems_of(a_folder(tmp_path, settings=settings))

    assert {str(problem).count("\n") for problem in problems} == {2}


def test_what_a_hint_repeats_cannot_steer_the_terminal() -> None:
    problem = Diagnostic("error", "P010", "unknown", 'did you mean "a\x1b[2J\nerror P001"?', "policy.yaml", None)

    assert str(problem).splitlines()[1:] == ['     | did you mean "a\\x1b[2J\\nerror P001"?']


def test_a_name_in_capitals_is_recognised_among_many() -> None:
    names = [*(f"rule-{number}" for number in range(100)), "toxic-answer"]

    assert did_you_mean("TOXIC-ANSWR", names) == 'did you mean "toxic-answer"?'


@pytest.mark.parametrize(("depth", "codes"), [(20, {"P011"}), (21, {"P007"})])
def test_twenty_levels_inside_one_another_are_read_and_one_more_is_not(
    tmp_path: Path, depth: int, codes: set[str]
) -> None:
    brackets = depth - 1  # the file itself is the first level
    folder = a_folder(tmp_path, f"{a_policy()}notes: {'[' * brackets}{']' * brackets}\n")

    assert set(codes_of(folder)) == codes


def test_the_version_of_yaml_that_is_read_may_be_named(tmp_path: Path) -> None:
    assert codes_of(a_folder(tmp_path, f"%YAML 1.2\n---\n{a_policy()}")) == []


def test_a_long_line_is_shown_around_the_place(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, a_policy(a_rule(flag="{severity: high, labels: [" + "a, " * 500 + "B], reason: no}")))

    shown = str(problems_of(folder)[0]).splitlines()

    assert max(map(len, shown[1:])) < 200
    assert shown[1].index("B") == shown[2].index("^")


def test_the_caret_stands_under_the_place_in_wide_and_combining_text(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, a_policy(a_rule(flag='{labels: ["日本", "e\u0301", B], severity: high, reason: nix}')))

    problem = next(problem for problem in problems_of(folder) if problem.code == "P013")

    line, caret = str(problem).splitlines()[1:]
    cells_before = len(line.partition("nix")[0]) + 2 - 1
    assert caret.index("^") == cells_before


PIECES = ["&a ", "*a", "!x ", "? ", ": ", "- ", "[", "]", "{", "}", '"', "'", "|\n", "%YAML 1.1\n", "---\n", "\t", "\n"]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@example([(0, "&a "), (178, "---\n")])
@given(st.lists(st.tuples(st.integers(0, 2_000), st.sampled_from(PIECES) | st.text(max_size=3)), max_size=5))
def test_a_damaged_folder_is_reported_and_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, str]]
) -> None:
    # both files in one text, so that damage falls on either
    text = f"{CHAT_SAFETY}\0{EXEMPTIONS}"
    for place, piece in damage:
        text = text[:place] + piece + text[place:]
    policy, _, exemptions = text.partition("\0")
    folder = a_folder(tmp_path_factory.mktemp("damaged"))
    (folder / POLICY).write_bytes(policy.encode("utf-8", "surrogatepass"))
    (folder / "exemptions.yaml").write_bytes(exemptions.encode("utf-8", "surrogatepass"))

    problems = problems_of(folder)

    assert all(str(problem).encode() for problem in problems)


def test_a_report_gives_problems_in_the_order_of_files_and_lines() -> None:
    diagnostics = Diagnostics()
    diagnostics.error("P002", "b.yaml", "second")
    diagnostics.warning("P053", "a.yaml", "first")

    assert [problem.message for problem in diagnostics.all] == ["first", "second"]
    assert [problem.message for problem in diagnostics.errors] == ["second"]


def test_a_calibration_folder_of_any_kind_harms_nobody(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    link_to_itself(folder / "calibration" / "a.json")
    (folder / "calibration" / "b.json").mkdir()
    named_pipe(folder / "calibration" / "c.json")
    (folder / "calibration" / "d.json").write_bytes(b"\xff" * 100)

    assert codes_of(folder) == []


@pytest.mark.parametrize("make", [link_to_itself, named_pipe, Path.touch])
def test_what_is_no_calibration_folder_holds_no_calibration(tmp_path: Path, make: object) -> None:
    folder = a_folder(tmp_path)
    (folder / "calibration" / "armorm.json").unlink()
    (folder / "calibration").rmdir()

    assert callable(make)
    make(folder / "calibration")

    assert codes_of(folder) == ["P040"]
