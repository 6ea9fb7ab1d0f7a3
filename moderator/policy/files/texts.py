"""texts.yaml -> what users and moderators are shown, by key and locale."""

from collections.abc import Mapping as Names
from dataclasses import dataclass

from moderator.policy.files.context import Context
from moderator.policy.files.node_readers import read_block, read_entries, read_name, read_text
from moderator.policy.language.ast import Texts
from moderator.policy.syntax.diagnostics import Diagnostics, Span, quote
from moderator.policy.syntax.yaml_tree import Node

MAX_CHARACTERS = 2_000

_FORM = "write such as {welcome: {en: …}}"


@dataclass(frozen=True, slots=True)
class TextsFile:
    """What texts.yaml says: the texts, and where each key is written."""

    texts: Texts
    places: Names[str, Span]


def read_texts(tree: Node, diagnostics: Diagnostics) -> TextsFile:
    """Read the tree of texts.yaml; a key with an error is kept, so that its name is still known."""
    block = read_block(tree, "texts.yaml", ("texts",), diagnostics)
    node = block.need("texts", "texts: {welcome: {en: …}}") if block else None
    entries = read_entries(node, "texts", diagnostics, _FORM)
    texts: dict[str, Names[str, str]] = {}
    places: dict[str, Span] = {}
    for key, value in entries.entries if entries else ():
        name = read_name(key, "a text's name", diagnostics) or key.text
        texts[name], places[name] = _read_text(name, key.span, value, diagnostics), key.span
    return TextsFile(texts, places)


def check_use(file: TextsFile, context: Context) -> None:
    """Warn of texts that no rule names."""
    for key, span in file.places.items():
        if key not in context.notified:
            message = f"no rule notifies anybody with {quote(key)}"
            context.diagnostics.warning("P058", span, message, "remove it, or name it under notify")


def _read_text(name: str, span: Span, node: Node, diagnostics: Diagnostics) -> dict[str, str]:
    """Read one text in its languages, of which English must be one."""
    entries = read_entries(node, f"the text {name}", diagnostics, "write such as {en: …, de: …}")
    by_locale: dict[str, str] = {}
    for locale, value in entries.entries if entries else ():
        text = read_text(value, f"the text {name} in {locale.text}", diagnostics)
        by_locale[locale.text] = text or ""
        if text is not None and len(text) > MAX_CHARACTERS:
            message = f"{name} has {len(text):,} characters, and a text has at most {MAX_CHARACTERS:,}"
            diagnostics.error("P058", value.span, message, "shorten it")
    if entries is not None and "en" not in by_locale:
        hint = "add en: …; it is for everybody whose language has no text of its own"
        diagnostics.error("P058", span, f"the text {quote(name)} has no English", hint)
    return by_locale
