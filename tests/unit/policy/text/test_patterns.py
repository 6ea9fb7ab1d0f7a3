import random
import re

import pytest

from moderator.policy.text.pattern_errors import pattern_error, pattern_warnings
from moderator.policy.text.patterns import FEWEST_MOST_PLACES, MOST_PLACES, PatternList, Patterns
from moderator.policy.text.readings import Reading
from tests.unit.policy.text_sources import number


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        # each kind of refusal
        ("(?=a)", "the pattern looks ahead"),
        (r"(a)\1", "the pattern refers back to a group"),
        ("a{1001}", "the pattern repeats something too often"),
        ("a*", "the pattern matches the empty text, so it would be found in every text"),
        ("[", "a [ is never closed"),
        ("(?!a)b", "the pattern looks ahead"),
        ("(?<=a)b", "the pattern looks behind"),
        ("(?<!a)b", "the pattern looks behind"),
        ("(?>a)", "the pattern has a group of a kind that there is not"),
        ("(a{1000}){2}", "the pattern repeats something too often"),
        ("a{2,1}", "a repetition runs backwards"),
        ("a**", "two repetitions stand one after the other"),
        ("*a", "a repetition stands where nothing can be repeated"),
        ("(a", "a ( is never closed"),
        ("a)", "a ) closes nothing"),
        ("a\\", "the pattern ends in a backslash"),
        ("[z-a]", "a range in [ ] runs backwards"),
        ("[[:foo:]]", "the pattern names a class of characters that there is not"),
        (r"\p{Foo}", "the pattern names a class of characters that there is not"),
        ("(?P<n", "the name of a group is not complete"),
        (r"a\Z", "a backslash stands before a letter that means nothing"),
        (r"\p{L}{300}", "the pattern needs more memory than 1 MiB"),
        ("a|", "the pattern matches the empty text, so it would be found in every text"),
    ],
)
def test_what_re2_refuses_is_said_in_our_words(pattern: str, reason: str, capfd: pytest.CaptureFixture[str]) -> None:
    objection = pattern_error(pattern, "folded")

    assert objection is not None
    assert objection[0] == reason
    assert objection[1]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("pattern", "warning"),
    [
        (r"\bпривет\b", r"\b knows ASCII letters and digits alone, and stands beside another letter"),
        (r"x\wé", r"\w knows ASCII letters and digits alone, and stands beside another letter"),
        (r"é\d", r"\d knows ASCII letters and digits alone, and stands beside another letter"),
        ("straße", '"straße" is read as "strasse" and never found'),
        ("[xß]", '"ß" is read as "ss" and never found'),
        ("e\u0301cole", '"e\u0301cole" is read as "école" and never found'),
        (r"\p{Lu}{5}", "the pattern asks for capitals, and is compared with a text without case"),
    ],
)
def test_what_will_hardly_do_what_was_meant_is_warned_of(pattern: str, warning: str) -> None:
    assert pattern_error(pattern, "folded") is None
    assert [message for message, _ in pattern_warnings(pattern, "folded")] == [warning]


@pytest.mark.parametrize("pattern", [r"\bscam\b", "école", "Ж", r"\\bé", r"caf\x{e9}", r"\p{L}+é"])
def test_a_sound_pattern_is_not_warned_of(pattern: str) -> None:
    assert list(pattern_warnings(pattern, "folded")) == []


@pytest.mark.parametrize("pattern", ["straße", r"\p{Lu}{5}"])
def test_a_pattern_for_the_text_as_sent_may_ask_for_anything(pattern: str) -> None:
    assert list(pattern_warnings(pattern, "exact")) == []


def test_a_boundary_is_not_found_beside_letters_that_it_does_not_know() -> None:
    assert number("привет", "patterns", r"\bпривет\b") == 0
    assert number("x привет y", "patterns", r"[^\p{L}]привет[^\p{L}]") == 1


def test_places_are_counted_and_patterns_once() -> None:
    mentions = "<@1> <@2> <@1>"

    assert number("spam. Hello!", "patterns", r"hello\W*$") == 1
    assert number(mentions, "patterns", "<@!?[0-9]+>", counts_places=True, compare="exact") == 3
    assert number(mentions, "patterns", "<@!?[0-9]+>", compare="exact") == 1


def test_places_of_one_pattern_do_not_overlap_and_those_of_several_add_up() -> None:
    assert number("aaaa b", "patterns", "aa", "b", counts_places=True) == 3


def test_places_are_counted_up_to_a_bound() -> None:
    assert number("ab" * 5_000, "patterns", "a", "b", counts_places=True) == MOST_PLACES


def test_of_a_long_text_fewer_places_are_counted_as_each_may_look_at_all_that_is_left() -> None:
    assert number("a" * (1 << 20), "patterns", "a(.*b)?", counts_places=True) == FEWEST_MOST_PLACES


def test_patterns_are_tried_on_both_readings() -> None:
    assert number("SCA\u041c", "patterns", "^scam$") == 1
    assert number("МАТ", "patterns", "мат") == 1
    assert number("a\nb", "patterns", "a.b", r"a\nb", "(?s)a.b", "(?m)^b$", "^b$") == 3


@pytest.mark.parametrize(
    "text",
    ["discord\x08.gg/ab", "disc\0ord.gg/ab", "discord.gg\ufffc/ab", "disc\u2028ord.gg/ab", "is\u2028discord.gg/ab"],
    ids=ascii,
)
def test_a_pattern_is_found_with_what_cannot_be_seen_in_it_or_beside_it(text: str) -> None:
    assert number(text, "patterns", r"\bdiscord\.gg/\w") == 1


def test_a_list_that_needs_more_memory_than_there_is_misses_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    patterns = [f"[a-q][^u-z]{{{30 + place % 7}}}x{place}" for place in range(100)]
    rng = random.Random(5)
    text = Reading("".join(rng.choices("abcdefghijklmnopqrst ", k=600)) + "x99 zebra")
    expected = {place for place, each in enumerate(patterns) if re.search(each, text.sent)}

    for set_bytes in (1 << 16, 200 << 10):
        lists = [PatternList([*patterns, "zebra"], "folded", counts_places=False)]

        assert Patterns(lists, set_bytes).find(text)[0].patterns == {*expected, 100}
    assert capfd.readouterr() == ("", "")


def test_random_patterns_are_accepted_or_refused_and_find_what_python_finds() -> None:
    rng = random.Random(11)
    parts = [
        "a",
        "b",
        "ab",
        ".",
        "[ab]",
        "[^a]",
        "a*",
        "b+",
        "a?",
        "(a|b)",
        "a{2}",
        "^",
        "$",
        r"\d",
        r"\s",
        "(?:ba)*",
        "(",
        ")",
        "[",
        "{",
        "\\",
        "|",
        "é",
        "*",
    ]
    texts = [Reading("".join(rng.choices("ab1 \n", k=rng.randint(0, 8)))) for _ in range(8)]
    accepted = 0
    for _ in range(1_500):
        pattern = "".join(rng.choices(parts, k=rng.randint(1, 5)))
        if pattern_error(pattern, "folded") is not None:
            continue
        accepted += 1
        found = Patterns([PatternList([pattern], "folded", counts_places=False)])
        try:
            # Python's $ may also stand before a final line end.
            known = re.compile(pattern.replace("$", r"\Z"), re.IGNORECASE)
        except (re.error, FutureWarning):  # Python warns of [[, which RE2 reads as it always did
            continue
        for text in texts:
            assert (found.find(text)[0].patterns == {0}) == (known.search(text.sent) is not None), (pattern, text.sent)
    assert accepted > 300
