import pytest

from moderator.playground.edits import EditError, OutdatedError, base_of, edited, is_file_name, shown_text
from moderator.policy.files.folder import Unreadable

FILES = {"a.yaml": b"one\ntwo\n", "b.yaml": b"b\n"}


def test_edits_replace_add_and_remove_files_and_leave_the_others() -> None:
    result = edited(FILES, {"a.yaml": "one\n", "b.yaml": None, "lists/new.txt": "scam\n", "gone.yml": None})

    assert result == {"a.yaml": b"one\n", "lists/new.txt": b"scam\n"}
    assert FILES["a.yaml"] == b"one\ntwo\n"


@pytest.mark.parametrize("name", ["x.yaml", "x.test.yaml", "x y.yml", "ünï.yaml", "lists/x.txt", "lists/a.b.txt"])
def test_files_that_count_in_a_folder_may_be_edited(name: str) -> None:
    assert is_file_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x",
        "x.json",
        "x.YAML",
        ".x.yaml",
        "../x.yaml",
        "a/x.yaml",
        "/x.yaml",
        "lists/x.yaml",
        "lists/../x.txt",
        "lists/.x.txt",
        "x.txt",
        "a\n.yaml",
        "a\0.yaml",
        "calibration/x.json",
        f"{'x' * 251}.yaml",
        "lists/a/x.txt",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(EditError, match=r"NAME.yaml, NAME.yml or lists/NAME.txt") as refused:
        edited(FILES, {name: "x"})

    assert refused.value.name == name


def test_half_a_character_cannot_be_written() -> None:
    with pytest.raises(EditError, match="half of a character"):
        edited(FILES, {"a.yaml": "x\ud83d"})


def test_an_editor_sees_plain_line_ends_and_no_byte_order_mark() -> None:
    assert shown_text(b"\xef\xbb\xbfa\r\nb\rc\n") == "a\nb\nc\n"
    assert shown_text(b"\xff\xfe") is None
    assert shown_text(Unreadable("a folder", "")) is None


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        (b"a\r\nb\r\n", "a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\r\n", "a\nX\nb\n", b"a\r\nX\r\nb\r\n"),
        (b"\xef\xbb\xbfa\n", "b\n", b"\xef\xbb\xbfb\n"),
        (b"\xef\xbb\xbfa\r\nb", "a\nb", b"\xef\xbb\xbfa\r\nb"),
        (b"a\nb\r\nc\r\n", "a\nb\nX\nc\n", b"a\nb\r\nX\r\nc\r\n"),
        (b"a\r\nb", "a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\r\n", "a\nb", b"a\r\nb"),
        (b"a\r\n", "", b""),
        (b"a\r\n", "\ufeffa\n", b"\xef\xbb\xbfa\n"),
        (b"a\r\n", "a\r\nb\n", b"a\r\nb\n"),
        (b"a\rb\r", "a\nb\nc\n", b"a\rb\rc\r"),
        (b"a\n", "a\r\n", b"a\r\n"),
        (b"\xff", "a\n", b"a\n"),
    ],
)
def test_what_an_editor_gives_back_takes_the_form_of_the_file(before: bytes, text: str, after: bytes) -> None:
    assert edited({"a.yaml": before}, {"a.yaml": text})["a.yaml"] == after


def test_a_text_that_was_only_shown_changes_nothing() -> None:
    for content in (b"", b"\n", b"\r\n\r\n", b"\xef\xbb\xbf", b"a\r\nb\nc\rd", b"a\n\r\nb\r\n\n"):
        assert edited({"a.yaml": content}, {"a.yaml": shown_text(content)})["a.yaml"] == content


@pytest.mark.parametrize(
    ("base", "text"),
    [(b"one\n", "one\n2\n"), (b"one\n", None), (None, "one\n2\n"), (Unreadable("away", ""), "one\n2\n")],
)
def test_an_edit_that_began_with_another_text_is_refused(base: bytes | Unreadable | None, text: str | None) -> None:
    with pytest.raises(OutdatedError, match=r"`a\.yaml` changed in the folder") as refused:
        edited(FILES, {"a.yaml": text, "b.yaml": "x"}, {"a.yaml": base_of(base), "b.yaml": base_of(b"b\n")})

    assert refused.value.names == ("a.yaml",)


def test_an_edit_of_a_file_that_is_gone_is_refused() -> None:
    with pytest.raises(OutdatedError):
        edited({}, {"a.yaml": "x"}, {"a.yaml": base_of(b"one\n")})


@pytest.mark.parametrize(("name", "text"), [("a.yaml", "one\ntwo\n"), ("gone.yaml", None)])
def test_an_edit_that_somebody_else_has_made_too_is_taken(name: str, text: str | None) -> None:
    assert edited(FILES, {name: text}, {name: base_of(b"one\n")}) == FILES
