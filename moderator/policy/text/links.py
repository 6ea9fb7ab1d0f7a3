"""Links in a text, and the hosts that browsers would go to: those of the WHATWG URL standard."""

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Final, NamedTuple
from unicodedata import category

import ada_url

from moderator.ignorable import SEPARATORS
from moderator.policy.text.characters import SEPARATING, mark_class, spaceless_class, without_hidden

_SCHEME: Final = re.compile(r"(?:https?|ftp)(?::|%3a)(?:[/\\]|%2f|%5c){1,2}", re.IGNORECASE)
"""Also with percent signs, as the target of a redirect is written."""
_BLANK: Final = re.compile(r"\s")
_NO_LINK: Final = r"\s<>\"`^|{}("
"""What ends a link, in sentences, Markdown and HTML."""
_AFTER_HOST: Final = r"),;!$&'*+=~\u2010-\u205e\u3001\u3003-\u301f\uff08-\uff0c\uff1b"
"""Punctuation that is in no host, but may be in a path."""
_OWN: Final = re.compile(rf"\[?[^{_NO_LINK}{_AFTER_HOST}\[\]/\\?#]*\]?(?:[/\\?#][^{_NO_LINK}]*)?")
"""What belongs to a link, after its scheme."""
_GAPS: Final = re.compile(f"[{SEPARATORS}\u3164\uffa0]+")
"""Fillers, which show as a blank and are no part of a host, and line ends that browsers show as nothing."""
_LINE_CONTROLS: Final = re.compile(f"[{SEPARATING}]+")
_MORE_WAYS: Final = re.compile(f"[{SEPARATING}{SEPARATORS}\u3164\uffa0]")
_AUTHORITY_END: Final = re.compile(r"[/\\?#]")
_PORT: Final = re.compile(r":[0-9]*$")
_HOST: Final = re.compile(r"\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_PLAIN_HOST: Final = re.compile(r"[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*\.[a-z][a-z0-9-]*", re.IGNORECASE)
"""What the standard leaves as it is except for its case, unless a label starts with xn--."""
_OTHER_DOT: Final = re.compile("[\u3002\uff0e\uff61]")
"""What the standard takes for a dot."""
_LONGEST_HOST: Final = 1_024
"""Characters of a host as written: a domain has at most 253, and may be written with percent signs."""
_SCHEME_OF_ENTRY: Final = re.compile(r"[a-z][a-z0-9+.-]*:[/\\]+", re.IGNORECASE)
_IN_HOSTS: Final = frozenset("-_%:[].")
_INNER_DOT: Final = re.compile(r"\.[^ ]")
"""A dot that ends a sentence joins no labels."""


class Links(NamedTuple):
    """The hosts in a text.

    Attributes:
        linked: of what is a link: with a scheme, with `www.` in front, or followed by a path.
        named: of other names, which only a list may know to be hosts.
    """

    linked: frozenset[str]
    named: frozenset[str]


NO_LINKS: Final = Links(frozenset(), frozenset())


class Domains:
    """Hosts of a list, each with its subdomains."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._places = {host: place for place, host in enumerate(hosts)}

    def find(self, links: Links) -> set[int]:
        """Give the places of the entries that are linked or named, themselves or a subdomain."""
        places = self._places
        return {places[each] for hosts in links for host in hosts for each in _domains(host) if each in places}


def links_in(text: str) -> Links:
    """Find the hosts in a text as it was sent."""
    if not _MORE_WAYS.search(text):
        return _links_in(without_hidden(text))
    ways = {text, _LINE_CONTROLS.sub(" ", text), _GAPS.sub("", text)}
    found = [_links_in(without_hidden(way)) for way in ways]
    linked = frozenset().union(*(each.linked for each in found))
    return Links(linked, frozenset().union(*(each.named for each in found)) - linked)


def _links_in(seen: str) -> Links:
    linked: set[str | None] = set()
    named: set[str | None] = set()
    if _may_have_scheme(seen):
        before, *after = _SCHEME.split(seen)
        rests = set(after)
        linked.update(_host_of(_BLANK.split(rest, maxsplit=1)[0]) for rest in rests)
        # What belongs to a link is not read again as a bare name.
        seen = " ".join([before, *(_OWN.sub("", rest, count=1) for rest in rests)])
    if _INNER_DOT.search(seen) or (not seen.isascii() and _OTHER_DOT.search(seen)):
        for name, path in _names(seen):
            core = _without_neighbours(name)
            labels = _PORT.sub("", core).split(".")
            has_www = labels[0].lower() == "www"
            if has_www or _is_top_level(labels[-1]):
                (linked if has_www or path else named).add(_parsed(core))
    if not linked and not named:
        return NO_LINKS
    return Links(frozenset(filter(None, linked)), frozenset(filter(None, named - linked)))


def host_of_entry(entry: str) -> str | None:
    """Give the host that an entry is, in the form in which hosts are found; None where it is none."""
    host = without_hidden(entry)
    has_more = host.startswith((".", "*")) or any(each in " /\\?#@:*" or each.isspace() for each in host)
    return None if has_more and not host.startswith("[") else _parsed(host)


def host_in_entry(entry: str) -> str | None:
    """Give what an entry should be that has more than a host, such as a path; None where no host is in it."""
    rest = _SCHEME_OF_ENTRY.sub("", entry.strip()).removeprefix("*").removeprefix(".")
    host = _PORT.sub("", _authority_host(rest)).rstrip(".").lower()
    return host if host_of_entry(host) else None


def _may_have_scheme(text: str) -> bool:
    # one character is found ten times as fast as two
    return (":" in text and (":/" in text or ":\\" in text)) or ("%" in text and "%3" in text)


def _names(text: str) -> Iterator[tuple[str, str]]:
    """Yield the names of two or more labels, each with its port and what follows a slash."""
    if not text.isascii():
        text = _OTHER_DOT.sub(".", text)
    is_ascii = text.isascii()
    for part in {part for part in text.split() if _INNER_DOT.search(part)}:
        yield from set(_bare_name(is_ascii=is_ascii).findall(part))


def _host_of(rest: str) -> str | None:
    """Give the host of a link without its scheme."""
    return _parsed(_without_neighbours(_authority_host(rest.lstrip("/\\"))))


def _authority_host(rest: str) -> str:
    """Give host and port of what follows a scheme: without path and user name."""
    return _AUTHORITY_END.split(rest, maxsplit=1)[0].rpartition("@")[2]


def _without_neighbours(host: str) -> str:
    """Cut off what a sentence puts beside a host: closing brackets, and words of scripts written without spaces."""
    if host.isascii():
        return host
    host = _OTHER_DOT.sub(".", host)
    end = next((at for at, each in enumerate(host) if category(each)[0] == "P" and each not in _IN_HOSTS), len(host))
    core = _between_spaceless().search(host[:end])
    return core[0] if core else host[:end]


@lru_cache(maxsize=16_384)
def _parsed(host: str) -> str | None:
    """Read a host and its port as browsers do; None where they go nowhere."""
    host = _PORT.sub("", host)
    if len(host) > _LONGEST_HOST:
        return None
    if _PLAIN_HOST.fullmatch(host) and "xn--" not in host:
        return host.lower()
    try:
        parsed = ada_url.URL(f"https://{host}").hostname
    except ValueError:
        # What follows a host in a sentence may make it none.
        cut = _HOST.match(host.lower())
        return cut[0] if cut and cut[0] != host and _PLAIN_HOST.fullmatch(cut[0]) else None
    found = _HOST.match(parsed.removesuffix("."))
    return found[0] if found else None


def _domains(host: str) -> Iterator[str]:
    """Yield a host and the domains that it is in."""
    yield host
    at = host.find(".")
    while at >= 0:
        yield host[at + 1 :]
        at = host.find(".", at + 1)


def _is_top_level(label: str) -> bool:
    letters = [each for each in label if category(each)[0] != "M"]
    return label.lower().startswith("xn--") or (len(label) > 1 and all(map(str.isalpha, letters)))


@cache
def _bare_name(*, is_ascii: bool) -> re.Pattern[str]:
    """Match a name of two or more labels, its port, and whether a path follows."""
    label = r"[\w-]" if is_ascii else rf"[\w{mark_class()}-]"
    # Possessive, and never from inside a label: a name of a million letters is read once.
    return re.compile(rf"(?<!{label})({label}++(?:\.{label}++)++(?::[0-9]{{1,5}})?)\.?(/[^{_NO_LINK}]*)?")


@cache
def _between_spaceless() -> re.Pattern[str]:
    spaceless = f"[{spaceless_class()}]"
    return re.compile(
        rf"(?:^|(?<={spaceless}))[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{{2,}}(?=$|{spaceless})", re.IGNORECASE
    )
