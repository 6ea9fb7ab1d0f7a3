import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderator.scoring.rendering.visible import positions, visible

THREAT = "I will find you and hurt you"
ORDINARY = [
    "👨‍👩‍👧‍👦",
    "❤️‍🔥",
    "🏳️‍🌈",
    "🏴‍☠️",
    "👩🏽‍⚕️",
    "🙂‍↔️",
    "1️⃣",
    "\u2139\ufe0f",
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "می‌خواهم",
    "क्‍ष क्‌ष",
    "ന്‍",
    "ශ්‍රී",
    "葛󠄀",
    unicodedata.normalize("NFD", "é and ệ"),
    unicodedata.normalize("NFD", "ᾅ"),
    "שָׁלוֹם",
    "ที่นี่",
    "བསྒྲུབས",
    "مُحَمَّدٌ",
    "ပြောင်းရွှေ့",
    "a\tb\nc\r\nd",
    "a \nb\n c\n\nd\r\n\r\ne\u00a0f\u3000g",
    "2 ≠ 3, 2 =\u0338 3",
]
PADDING = [
    "\u034f",
    "\u2060",
    "\U000e0041",
    "\u00ad",
    "\ufe0f",
    "\u200b",
    "\u200c",
    "\u200d",
    "\u200e",
    "\u202b",
    "\u2066",
    "\ufeff",
    "\ufff9",
    "\ufffc",
    "\u115f",
    "\u17b4",
    "\u180e",
    "\u061c",
    "\U0001d173",
    "\U000e0100",
    "\x00",
    "\x9f",
    "\u20e0",
]
BLANKS = ["\u3164", "\uffa0", "\u2800", "\U00013441", "\U00013442", "\U00016fe4", "\U0001d159"]
SEPARATORS = ["\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == (text, 0)


@pytest.mark.parametrize("padding", PADDING, ids=ascii)
def test_invisible_padding_around_and_inside_a_threat_leaves_the_threat_alone(padding: str) -> None:
    pad = padding * 3_000

    seen = visible(f" {pad}{THREAT[:10]}{padding}{THREAT[10:]}{pad}").text

    assert seen == THREAT


@pytest.mark.parametrize("padding", [" ", *BLANKS, *SEPARATORS, "\u0301", "\u0489"], ids=ascii)
def test_blanks_and_piles_of_marks_around_a_threat_leave_the_threat_alone(padding: str) -> None:
    pad = padding * 3_000

    assert visible(f" {pad}{THREAT}{pad}").text == THREAT


def test_a_threat_between_invisible_padding_and_kind_words_stays_among_them() -> None:
    pad = "\u034f" * 1_400

    assert visible(f"Hi{pad}{THREAT}{pad}!") == (f"Hi{THREAT}!", 2_800)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("k\u0336i\u0336l\u0336l\u0336", "kill"),
        ("".join(letter + "\u0301\u0316\u0334\u0357\u0329" for letter in "kill"), "kill"),
        ("к\u0336и\u0336", "ки"),
        ("\uff4b\u0336", "\uff4b"),
        ("ศ" + "\u0e34" * 20, "ศ" + "\u0e34" * 8),
        ("!" + "\u0301" * 5, "!\u0301"),
        ("a \u0301b", "a b"),
        ("a\u00a0\u0301b", "a\u00a0\u0301b"),
        ("a\u20e3b", "a\u20e3b"),
    ],
    ids=ascii,
)
def test_marks_stay_as_far_as_writing_needs_them(written: str, shown: str) -> None:
    assert visible(written).text == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a\u200db", "ab"),
        ("ک\u200c\u200c\u200dت", "ک\u200cت"),
        ("🙂\u200d", "🙂"),
        ("a\ufe0f", "a"),
        ("🙂\ufe0f\ufe0f", "🙂\ufe0f"),
        ("a\U000e0100", "a"),
        ("\u1820\u180b\u180b", "\u1820\u180b"),
        ("\U0001f3f4\U000e0067\U000e0062", "\U0001f3f4"),
        ("a\u202e\u05d0\u202c", "a\u05d0"),
    ],
    ids=ascii,
)
def test_joiners_selectors_and_tags_stay_only_where_they_shape_something(written: str, shown: str) -> None:
    assert visible(written).text == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a" + " " * 16 + "b", "a b"),
        ("a\t\tb", "a b"),
        ("a \u2003\u3000\u00a0 b", "a b"),
        ("a \u2800\u3164 b", "a b"),
        ("a \u00a0\u0301b", "a\u00a0\u0301b"),
        ("if x:\n        return y", "if x:\n return y"),
        ("a" + "\n" * 80 + "b", "a\n\nb"),
        ("a\r\n\r\n\r\nb", "a\r\n\r\nb"),
        ("a \n   \n \t\n  b", "a \n\n b"),
    ],
    ids=ascii,
)
def test_a_run_of_blanks_is_one_blank_and_a_run_of_line_ends_is_two(written: str, shown: str) -> None:
    assert visible(written) == (shown, 0)


@pytest.mark.parametrize("separator", SEPARATORS, ids=ascii)
def test_separators_are_removed_from_words_and_blanks_elsewhere(separator: str) -> None:
    between = separator.join

    assert visible(between("kill")) == ("kill", 3)
    assert visible(between(["ki\u0301", "\u200bll", "0"])).text == "ki\u0301ll0"
    assert visible(between(["Stop.", "Go", "(now)", "\U0001f642", "ok"])) == ("Stop. Go (now) \U0001f642 ok", 0)
    assert visible(f"you {separator} and{separator}\nme").text == "you and \nme"


@pytest.mark.parametrize(
    ("written", "shown", "removed"),
    [
        ("\u202euoy llik\u202c now", "uoy llik kill you now", 2),
        ("Hi\u202euoy llik\nBye", "Hiuoy llik kill you \nBye", 1),
        ("\u202d\u05d1\u05d0\u202c", "\u05d1\u05d0 \u05d0\u05d1", 2),
        ("\u202e\u202auoy llik\u202c\u202c", "uoy llik kill you", 5),
        ("\u202e\u0645\u0631\u062d\u0628\u0627 12\u202c", "\u0645\u0631\u062d\u0628\u0627 12", 2),
        ("\u202dsee you\u202c", "see you", 2),
        ("\u202b\u05d0\u05d1 Wi-Fi\u200f!\u202c \u2067ok\u2069", "\u05d0\u05d1 Wi-Fi! ok", 5),
    ],
    ids=ascii,
)
def test_letters_that_an_override_turns_around_are_read_in_both_orders(written: str, shown: str, removed: int) -> None:
    assert visible(written) == (shown, removed)


def test_what_an_override_shows_is_at_its_end_in_the_text_as_sent() -> None:
    text = "see \u202euoy llik\u202c now"
    seen = visible(text).text

    at = positions(text, seen, list(range(len(seen) + 1)))

    assert seen == "see uoy llik kill you now"
    assert at == [*range(4), *range(5, 13), *[13] * 10, *range(15, 19)]


def test_replaced_blanks_and_shortened_white_space_do_not_count_as_removed() -> None:
    assert visible("a\u3164b" + " " * 100 + "c") == ("a b c", 0)
    assert visible("a\u200bb\x00c").removed == 2


def test_nothing_is_left_of_a_text_that_nobody_sees() -> None:
    assert visible("\u200b\u2060 \u3164\u034f").text == ""


_ODD = (
    "ab\u0301\u0336 \u00a0\t\n\r\u2028\x85\u200b\u200d\ufe0f\u180b\u1820\U000e0100"
    "\u4e00\u094d\u0915\u0903🙂\u20e31\U0001f3f4\U000e0067\U000e007f\u3164"
)


@given(st.text(alphabet=st.one_of(st.sampled_from(_ODD), st.characters(exclude_categories=["Cs"])), max_size=40))
def test_what_is_visible_stays_visible(text: str) -> None:
    once = visible(text).text

    assert visible(once) == (once, 0)


@given(st.text(alphabet=st.sampled_from(_ODD), max_size=40))
def test_visible_characters_are_found_in_the_text_as_sent_in_order(text: str) -> None:
    seen = visible(text).text

    at = positions(text, seen, list(range(len(seen) + 1)))

    assert at == sorted(set(at))
    assert at[-1] == len(text)
    assert all(text[where] == letter or letter in " \u00a0" for where, letter in zip(at, seen, strict=False))
