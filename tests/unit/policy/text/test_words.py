import pytest

from tests.unit.policy.text_sources import number


@pytest.mark.parametrize(
    ("text", "entry", "options", "expected"),
    [
        # Acceptance cases 7 to 12 of the language's second part, by number.
        *((text, "scam", {}, 1) for text in ("SCAM!", "s\u200bcam", "ｓｃａｍ", "sc\u0430m", "SCA\u041c")),  # 7
        *((text, "scam", {}, 1) for text in ("s\u0336c\u0336a\u0336m\u0336", "\U0001d4e2cam")),  # 7
        *((text, "scam", {}, 0) for text in ("scampi", "unscam", "sc4m", "s c a m")),  # 8
        *((text, "scam", {"match": "part"}, 1) for text in ("scampi", "unscam")),  # 8
        *((text, "scam", {"match": "part"}, 0) for text in ("sc4m", "s c a m")),  # 8
        ("free   donation", "free donation", {}, 1),  # 8
        ("free\ndonation", "free donation", {}, 1),  # 8
        ("free-donation", "free donation", {}, 0),  # 8
        ("МАТ", "мат", {}, 1),  # 9
        ("мата", "мат", {}, 0),  # 9
        ("com", "corn", {}, 0),  # 9
        ("schön", "schon", {}, 1),  # 9
        ("schön", "schon", {"compare": "exact"}, 0),  # 9
        ("这是垃圾信息", "垃圾", {}, 1),  # 10
        ("x a_b y", "a_b", {}, 1),  # 10
        ("x_scam_y", "scam", {}, 1),  # 10
        ("win a #ad now", "#ad", {}, 1),  # 11
        ("akia AKIA", "AKIA", {"compare": "exact"}, 1),  # 12
        ("akia", "AKIA", {"compare": "exact"}, 0),  # 12
        (" Hello \n World ", "hello world", {"match": "whole"}, 1),
        ("hello world!", "hello world", {"match": "whole"}, 0),
        ("hello", "hello", {"match": "whole", "compare": "exact"}, 1),
        ("Hello", "hello", {"match": "whole", "compare": "exact"}, 0),
        ("각", "가", {"match": "part"}, 0),
        ("fr\0ee gi\x7fft\x07 card", "free gift card", {}, 1),
        ("free\u2800gift\u3164card", "free gift card", {}, 1),
        ("fr\u2028ee gift ca\u2029rd", "free gift card", {}, 1),
        ("fr\x85ee gift card", "free gift card", {}, 1),
        ("a \u202edrac tfig eerf\u202c b", "free gift card", {}, 1),
        ("a\u202edrac tf\u2028ig eerf", "free gift card", {}, 1),
        ("free\u2028gift\u2029card", "free gift card", {}, 1),
        ("free gift card", "fr\x01ee\u3164gift card", {}, 1),
        ("يا غـبـي!", "غبي", {}, 1),
        ("free gift", "fr\x01ee", {"compare": "exact"}, 0),
    ],
)
def test_an_entry_occurs_where_the_contract_says(text: str, entry: str, options: dict[str, str], expected: int) -> None:
    assert number(text, "words", entry, **options) == expected


@pytest.mark.parametrize("match", ["word", "part", "whole"])
@pytest.mark.parametrize("entry", ["\x01", "\x7f\x1f", "\u200b", "\u2800"], ids=ascii)
def test_an_entry_of_which_nothing_can_be_seen_is_found_nowhere(entry: str, match: str) -> None:
    for text in ("hello", "", " ", "\x01", "\u200bé"):
        assert not number(text, "words", entry, match=match)


def test_overlapping_entries_all_count() -> None:
    assert number("free donation now", "words", "free donation", "donation", "donation now", "free") == 4


def test_an_entry_counts_once_however_often_it_occurs() -> None:
    assert number("scam scam SCAM", "words", "scam") == 1


def test_an_entry_is_found_across_the_ends_of_what_is_searched_at_once() -> None:
    for padding in range(65_525, 65_540):
        assert number(" " * 10 + "x" * padding + " free donation", "words", "free donation", compare="exact") == 1


def test_an_entry_at_the_end_of_a_mebibyte_is_found() -> None:
    assert number("spam " * (1 << 18) + "free donation", "words", "free donation") == 1
