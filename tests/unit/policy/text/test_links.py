import random
import time

import pytest

from moderator.policy.text.entries import entry_error, normal_form
from moderator.policy.text.links import links_in
from tests.unit.policy.text_sources import number

MOST_SECONDS = 5


@pytest.mark.parametrize(
    "text",
    [
        "https://google.com@evil.com/x",
        "HTTPS:\\\\evil.com",
        "HTTPS:\\evil.com",
        "evil.com.",
        "a.evil.com/x",
        "http://%65vil.com",
        # and what else walks around a list
        "(https://evil.com)",
        "[x](https://evil.com).",
        "<ftp://evil.com>,",
        "请访问evil.com下载",
        "https://evil.com下载",
        "https://evil.com」と",
        "ｅｖｉｌ．ｃｏｍ",
        "evil。com",
        "e\u200bvil.com",
        "https://e\u200dvil.com",
        "www.evil.com",
        "https://user:pw@evil.com:8080?x",
        "evil.com:80/x",
        "EVIL.COM",
        "https://evil.com),and more",
        "https:///evil.com",
    ],
)
def test_a_listed_host_is_found(text: str) -> None:
    assert number(text, "links", "evil.com") == 1


@pytest.mark.parametrize(
    "text",
    [
        "[https://a.org](https://evil.com/x)",
        "[https://a.org](<https://evil.com/x>)",
        "[https://a.org](//evil.com/x)",
        "[https://a.org](evil.com)",
        "[https://a.org]www.evil.com",
        '<a href="https://a.org">https://evil.com/x</a>',
        "https://a.org<br>evil.com",
        "https://a.org,https://evil.com",
        "https://a.org,evil.com",
        "https://a.org\uff0cevil.com",
        "https://a.org/x|https://evil.com",
        "https://a.orghttps://evil.com",
        "https://https://evil.com",
        "https://a.org/?to=https://evil.com&x",
        "https://a.org/?to=https%3A%2F%2Fevil.com%2Fx",
        "a.org/](evil.com/x)",
        "a.org/|evil.com",
        "a.org/https://evil.com",
    ],
)
def test_a_host_is_found_behind_another_without_a_blank_between_them(text: str) -> None:
    assert number(text, "links", "evil.com") == 1


@pytest.mark.parametrize(
    "text",
    [
        "https://ev\x01il.com/x",
        "ev\x08il.com",
        "ev\x7fil.com",
        "ev\x80il.com",
        "https://ev\ufff9il.com",
        "ev\ufffcil.com",
        "https://ev\u2028il.com",
        "ev\u2029il.com",
        "ev\x85il.com",
        "https://ev\u3164il.com",
        "https://ev\uffa0il.com",
        "see\u3164www.evil.com",
        "see\u2800evil.com",
        "https://a.org\U0001d159evil.com",
    ],
    ids=ascii,
)
def test_a_host_is_found_with_what_cannot_be_seen_in_it_or_beside_it(text: str) -> None:
    assert number(text, "links", "evil.com") == 1


def test_links_one_after_the_other_cost_no_more_than_any_text() -> None:
    began_s = time.thread_time()

    for piece in ("https://", "https://a.org,", "a.org/(", "https%3a%2f%2f"):
        links_in(piece * ((1 << 20) // len(piece)))

    assert time.thread_time() - began_s < MOST_SECONDS


@pytest.mark.parametrize(
    "text",
    [
        "notevil.com",
        "evil.com.example.org/",
        "evil.community",
        "https://example.org/evil.com",
        "https://example.org/?next=www.evil.com",
        "https://example.org/a,evil.com",
        "https://",
        "https://evil",
        "evil .com",
    ],
)
def test_another_host_is_not_taken_for_a_listed_one(text: str) -> None:
    assert number(text, "links", "evil.com") == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see main.rs and e.g. this", 0),
        ("evil.com/x evil.com/y www.a.org", 2),
        ("https://A.example http://a.example/x", 1),
        ("https://[::1]/ http://1.2.3.4 http://0x1020304", 2),
        ("https://xn--r8jz45g.jp/ 例え.jp/", 1),
        ("1.5/2 and/or 3.14", 0),
        ("foo.https://evil.com", 1),
        ("www. www. www.", 0),
        ("[https://a.org/x](https://a.org/y)", 1),
        ("https://a.org/?to=https://b.org", 2),
        ("https://a.org/x,b.org/y", 1),
        ("https://a.org/x_(y)", 1),
    ],
)
def test_any_links_counts_hosts(text: str, expected: int) -> None:
    assert number(text, "links") == expected


def test_entries_may_be_written_in_every_alphabet() -> None:
    assert number("https://例え.jp xn--r8jz45g.jp", "links", "例え.jp") == 1
    assert number("例え.jp", "links", "xn--r8jz45g.jp") == 1
    assert normal_form("EVIL.com.", "links", "folded") == "evil.com"


def test_an_entry_and_its_subdomain_both_count() -> None:
    assert number("https://a.evil.com/", "links", "evil.com", "a.evil.com", "b.evil.com") == 2


@pytest.mark.parametrize(
    ("entry", "fix"),
    [
        ("https://evil.com/x", "write evil.com"),
        ("*.evil.com", "write evil.com"),
        (".evil.com", "write evil.com"),
        ("evil.com/x", "write evil.com"),
        ("evil.com:80", "write evil.com"),
        ("me@evil.com", "write evil.com"),
        ("evil com", "write such as evil.com"),
        ("https://", "write such as evil.com"),
    ],
)
def test_an_entry_that_is_no_host_is_refused_with_the_host_in_it(entry: str, fix: str) -> None:
    assert entry_error(entry, "links", "folded") == ("the entry is no host", fix)


@pytest.mark.parametrize(
    "text", ["end.evil.com/x", "one. two.evil.com/ three.", "..evil.com/.", ". .evil.com/", "evil.com/\n."]
)
def test_dots_that_end_sentences_hide_no_name_among_them(text: str) -> None:
    assert number(text, "links", "evil.com") == 1


def test_random_texts_give_hosts_and_never_an_exception() -> None:
    rng = random.Random(3)
    parts = [
        "http://",
        "https:\\",
        "www.",
        ".",
        "/",
        "@",
        ":",
        "%",
        "[",
        "]",
        "a",
        "evil.com",
        "例",
        "\u200b",
        "。",
        " ",
        "xn--",
        "ß",
        "1",
        "\U0001f600",
        "\u0301",
    ]
    for _ in range(1_500):
        text = "".join(rng.choices(parts, k=rng.randint(1, 12)))

        for host in (*links_in(text).linked, *links_in(text).named):
            assert host.isascii()
            assert host == host.lower()


@pytest.mark.parametrize("each", "\x0b\x0c\x1c\x1d\x1e\x1f", ids=ascii)
def test_a_control_that_may_end_a_line_ends_a_host_or_stands_within_it(each: str) -> None:
    assert "evil.com" in links_in(f"https://evil.com{each}foo").linked
    assert "evil.com" in links_in(f"https://ev{each}il.com").linked
