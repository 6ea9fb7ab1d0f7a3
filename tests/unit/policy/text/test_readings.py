import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderator.policy.text.look_alikes import look_alikes
from moderator.policy.text.readings import Reading

ASSIGNED = [chr(code) for code in range(0x80, 0x20000) if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")]
MARKS = [each for each in ASSIGNED if unicodedata.category(each)[0] == "M"]
MOST_SECONDS = 5
TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]), st.sampled_from([*MARKS[::9], *"aеéßİſΣМ \t\0\x80\u0640\ufe71\u3164"])
    )
)


@pytest.mark.parametrize(
    ("sent", "plain", "folded"),
    [
        ("SCAM!", "scam!", "scam!"),
        ("s\u200bcam", "scam", "scam"),
        ("ｓｃａｍ", "scam", "scam"),
        ("sc\u0430m", "sc\u0430m", "scam"),
        ("SCA\u041c", "sca\u043c", "scam"),
        ("s\u0336c\u0336a\u0336m\u0336", "s\u0336c\u0336a\u0336m\u0336", "scam"),
        ("\U0001d4e2cam", "scam", "scam"),
        ("s\U0001d167cam", "s\U0001d167cam", "scam"),
        ("МАТ", "мат", "mat"),
        ("schön", "schön", "schon"),
        ("Straße", "strasse", "strasse"),
        ("\u05d0\u05b8", "\u05d0\u05b8", "\u05d0\u05b8"),
        ("\u13fb\uab70", "\u13f3\u13a0", "gd"),
        ("com 0 1 |", "com 0 1 |", "com 0 1 |"),
        ("각", "각", "각"),
        ("\U0001f178\U0001f173\U0001f178\U0001f17e\U0001f183", None, "idiot"),
        ("\U0001f158\U0001f153\U0001f158\U0001f15e\U0001f163", None, "idiot"),
        ("\u026a\u1d05\u026a\u1d0f\u1d1b", None, "idiot"),
        ("\ua731\u1d04\u1d00\u1d0d", None, "scam"),
        ("\u0268\u0111\u0268\u0275\u0167", None, "idiot"),
        ("\u0197\u0110\u0197\u019f\u0166", "\u0268\u0111\u0268\u0275\u0167", "idiot"),
        ("\U0001f1ee\U0001f1e9\U0001f1ee\U0001f1f4\U0001f1f9", None, "idiot"),
        ("\U0001f1e9\U0001f1ea \U0001f1eb\U0001f1f7", None, "\U0001f1e9\U0001f1ea \U0001f1eb\U0001f1f7"),
        ("\u0643\u0640\u0640\u0644\u0628", "\u0643\u0644\u0628", "\u0643\u0644\u0628"),
        ("\u0627\u0640\u0653", "\u0622", "\u0622"),
        ("\ufe71", "\u064b", "\u064b"),
    ],
)
def test_a_text_has_a_plain_and_a_folded_reading(sent: str, plain: str | None, folded: str) -> None:
    """`None`: the plain reading is the text as sent."""
    reading = Reading(sent)

    assert (reading.plain, reading.folded) == (sent if plain is None else plain, folded)


@pytest.mark.parametrize(
    "each", ["\0", "\x07", "\x0b", "\x1f", "\x7f", "\x80", "\ufff9", "\ufffb", "\ufffc"], ids=ascii
)
def test_what_cannot_be_seen_is_in_no_reading(each: str) -> None:
    for text in (f"Fr{each}ee gift{each}", f"Fré{each}e gift{each}"):
        reading = Reading(text)

        assert reading.shown == text.replace(each, "")
        assert reading.plain == text.replace(each, "").lower()
        assert reading.folded == "free gift"


@pytest.mark.parametrize("each", "\u2800\u3164\uffa0\U0001d159\U00013441\U00013442\U00016fe4\x85\n", ids=ascii)
def test_what_shows_as_a_blank_is_a_space(each: str) -> None:
    assert (Reading(f"free{each}gift").plain, Reading(f"free{each}gift").folded) == ("free gift", "free gift")


@pytest.mark.parametrize("sent", ["غـبـي", "غ\u0640\u0640بي", "غـ\u200bـبي"], ids=ascii)
def test_what_only_draws_a_letter_out_is_in_no_reading(sent: str) -> None:
    assert Reading(sent).plain == Reading(sent).folded == "غبي"


def test_the_marks_on_what_draws_a_letter_out_stay() -> None:
    assert Reading("\u0628\ufe77\u0628").plain == "\u0628\u064e\u0628"


@pytest.mark.parametrize("text", [("\ufdfa" * 31 + " ") * 10_752, "\ufdfa" * 340_000, "\ufdfaa" * 170_000])
def test_characters_that_stand_for_whole_words_make_a_long_text_little_longer(text: str) -> None:
    reading = Reading(text)

    assert max(map(len, (reading.shown, reading.plain, reading.folded))) < 1.5 * len(text)


def test_marks_between_what_draws_letters_out_are_cut_like_other_runs() -> None:
    began_s = time.thread_time()

    for piece in ("\u064e\u0651\u0640", "\ufe7f\ufe71"):
        assert len(Reading("\u0628" + piece * 100_000).plain) < 100
    assert time.thread_time() - began_s < MOST_SECONDS


def test_lines_stay_in_the_readings_for_patterns_and_are_one_space_in_those_for_words() -> None:
    reading = Reading("\n Free \t\n Donatión ")

    assert reading.plain == " free donatión "
    assert reading.folded_lines == "\n free \t\n donation "


def test_an_empty_text_reads_empty() -> None:
    assert (Reading("").plain, Reading(" \n").plain, Reading("\u200b").folded) == ("", " ", "")


@given(TEXTS)
def test_both_readings_are_idempotent(text: str) -> None:
    reading = Reading(text)

    assert Reading(reading.plain).plain == reading.plain
    assert Reading(reading.folded).folded == reading.folded
    assert Reading(reading.folded).plain == reading.folded


def test_look_alikes_are_those_of_one_ascii_letter() -> None:
    alike = look_alikes()

    assert len(alike) == 1_494
    assert alike["\u041c"] == "m"
    assert "\u043c" not in alike
    assert not any(each.isascii() for each in alike)


def test_long_runs_of_marks_are_cut_and_read_the_same_again() -> None:
    reading = Reading("a" + "\u0301\u0323" * 500 + "b \u05d0" + "\u05b8\u05b0" * 500)

    assert reading.folded.startswith("ab \u05d0")
    assert len(reading.folded) < 60
    assert Reading(reading.plain).plain == reading.plain


@pytest.mark.parametrize("each", "\x0b\x0c\x1c\x1d\x1e\x1f", ids=ascii)
def test_a_control_that_may_end_a_line_or_a_page_is_read_with_and_without_a_gap(each: str) -> None:
    assert {way.folded for way in Reading(f"free{each}gift").ways} == {"freegift", "free gift"}
