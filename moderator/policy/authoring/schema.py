"""A JSON Schema (draft-07) of policy files for editors, filled with a folder's own signals, fields and reasons.

An editor completes and explains by it while one types. Errors are for `policy check` to find.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, get_args

from moderator.events import SEVERITIES, Recipient
from moderator.policy.language.ast import FolderSettings, Signal
from moderator.policy.language.comparisons import AT_LEAST, COMPARISONS
from moderator.policy.language.fields import READING_FIELDS, SPEAKERS
from moderator.policy.language.scale import Scale, show

Json = dict[str, Any]

_NAME = "^[a-z0-9][a-z0-9_-]{0,99}$"
_NUMBER = r"-?[0-9]+(\.[0-9]+)?"
_PERCENT = r"(50(\.0)?|[1-4]?[0-9](\.[0-9])?)%"
_RECIPIENTS: tuple[Recipient, ...] = get_args(Recipient)
_PATTERNS = {"number": _NUMBER, "percent": _PERCENT, "nothing": ""}
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2}))?$"


_READING = {
    "cut": "What the model did not read: nothing, older turns (context), or some of the judged message (message).",
    "hidden_text": "found: 16 or more characters of the judged message cannot be seen.",
}


def policy_schema(settings: FolderSettings, signals: Iterable[Signal], texts: Iterable[str] = ()) -> Json:
    """Give the schema of one policy file.

    Args:
        settings: whose fields and reasons are offered.
        signals: offered in conditions, in this order.
        texts: keys of texts.yaml, offered under notify; none: any name goes.
    """
    known = list(signals)
    keys = {
        "policy": _text("The policy's name; a rule's full id is policy/rule.", pattern=_NAME),
        "about": _text("One line on what the policy is for."),
        "owner": _text("Who is responsible for it, such as team@example.com."),
        "applies_to": _ref("scope", "Which events the policy is for; every line must fit. Without it: all."),
        "rules": {
            "description": "All rules are evaluated, their order means nothing; the highest severity wins.",
            "type": "array",
            "minItems": 1,
            "items": {"$ref": "#/definitions/rule"},
        },
    }
    schema = _object("", keys, required=("policy", "about", "owner", "rules"))
    del schema["description"]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A moderator policy",
        **schema,
        "defaultSnippets": [_policy_snippet(settings, known)],
        "definitions": {
            "rule": _rule(settings, known, list(texts)),
            "condition": _condition(known),
            "scope": _scope(settings),
        },
    }


def _rule(settings: FolderSettings, signals: list[Signal], texts: list[str]) -> Json:
    keys = {
        "rule": _text("The rule's name, unique in this policy.", pattern=_NAME),
        "about": _text("One line on what the rule catches."),
        "mode": _choice("live: it counts. shadow: it is only recorded. off: not evaluated.", ("live", "shadow", "off")),
        "rollout": _text(
            "Live for the same share every time, shadow for the rest, such as 25% of users.",
            pattern=r"^(?!0+(\.0+)?%)[0-9]+(\.[0-9]+)?% of (users|conversations|tenants|events)$",
        ),
        "rollout_seed": _text("Who is inside is drawn from this, else from the rule's id; keep it when renaming."),
        "starts": _text("From when, in event time, included: 2026-10-01 or 2026-10-01T09:00:00Z.", pattern=_TIME),
        "until": _text("Until when, in event time, not included: 2027-01-01 or 2027-01-01T09:00:00Z.", pattern=_TIME),
        "applies_to": _ref("scope", "Which events the rule is for, besides what the policy says; every line must fit."),
        "when": _ref(
            "condition",
            "What must hold for the rule to match; may be left out where the rule's own applies_to limits it.",
        ),
        "unless": _ref("condition", "What keeps the rule from matching."),
        "except": {
            "description": "Exempt events: those that fit any one item; inside an item every line must fit.",
            "type": "array",
            "minItems": 1,
            "items": {"$ref": "#/definitions/scope"},
        },
        "if_score_missing": _choice(
            "When a score that decides is missing: flag (fail closed) or allow (fail open); else settings.yaml's.",
            ("flag", "allow"),
        ),
        "if_fact_missing": _choice("When a fact that decides is missing; else settings.yaml's.", ("flag", "allow")),
        "flag": _flag(settings, texts),
        "tag": _names("Labels that the decision gets, whatever its verdict; a rule has either flag or tag."),
        "budget": _object(
            "What backtest and alerts hold the rule to.",
            {"flag_share": _text("Such as at most 1.5%.", pattern=r"^at most [0-9]+(\.[0-9]+)?%$")},
            required=("flag_share",),
        ),
    }
    schema = _object("One rule: when and unless say what it matches.", keys, ("rule", "about", "mode"))
    either = [{"required": ["flag"]}, {"required": ["tag"]}]
    return {**schema, "oneOf": either, "defaultSnippets": [_rule_snippet(settings, signals)]}


def _flag(settings: FolderSettings, texts: list[str]) -> Json:
    keys = {
        "severity": _choice("The highest of all that flag wins.", SEVERITIES),
        "reason": _choice("A stable code from settings.yaml, for review tools.", settings.reasons),
        "labels": _names("Free marks, carried along with the decision."),
        "action": _one_of("What is to be done, of settings.yaml's actions; the strongest wins.", settings.actions),
        "queue": _one_of("Who is to look at it, of settings.yaml's queues.", settings.queues),
        "notify": {
            **_object("Whom to notify, by a key of texts.yaml.", {to: _text_key(to, texts) for to in _RECIPIENTS}, ()),
            "minProperties": 1,
        },
    }
    snippet = {
        "label": "flag",
        "description": "Severity and reason",
        "body": {"severity": "${1|low,medium,high,critical|}", "reason": _menu(2, settings.reasons)},
    }
    return {
        **_object("What the rule says when it matches.", keys, ("severity", "reason")),
        "defaultSnippets": [snippet],
    }


def _names(description: str) -> Json:
    items = {"type": "string", "pattern": _NAME}
    return {"description": description, "type": "array", "minItems": 1, "items": items}


def _text_key(to: str, texts: list[str]) -> Json:
    return _one_of(f"What {'the author' if to == 'user' else 'moderators'} will read.", texts)


def _one_of(description: str, names: Sequence[str]) -> Json:
    """Offer the names that are declared; where none is, any may be meant."""
    return _choice(description, names) if names else _text(description, pattern=_NAME)


def _condition(signals: list[Signal]) -> Json:
    groups = {
        "all": _group("Every one of these must hold."),
        "any": _group("At least one of these must hold."),
    }
    comparisons = {signal.name: _phrase(signal) for signal in signals}
    return {
        **_object("One comparison, or all: or any: with a list.", groups | comparisons, ()),
        "minProperties": 1,
        "maxProperties": 1,
        "defaultSnippets": [
            {
                "label": kind,
                "description": f"{words} must hold",
                "body": {kind: [{_menu(1, [signal.name for signal in signals]): "${2:below 0.30}"}]},
            }
            for kind, words in (("all", "every one"), ("any", "at least one"))
        ],
    }


def _group(description: str) -> Json:
    return {
        "description": f"{description} At most 3 levels.",
        "type": "array",
        "minItems": 1,
        "items": {"$ref": "#/definitions/condition"},
    }


def _phrase(signal: Signal) -> Json:
    scale = signal.scale
    forms = [each.write(_PATTERNS[each.takes]) for each in COMPARISONS if each.takes not in _unsuitable(signal)]
    if signal.is_percent_only:
        span, usual = "no agreed scale: use in the lowest or highest P%", ["in the lowest 2%"]
    else:
        unit = f" {scale.unit}" if scale.unit else ""
        span, usual = f"{_span(scale)}{unit}", _usual(signal)
    good = "" if signal.good == "none" else f"; {signal.good} is good"
    entries = signal.text.entries if signal.text else None
    listed = f"; read from {entries.name}" if entries else ""
    return {
        "description": ". ".join(filter(None, [signal.about.strip().rstrip("."), f"{span}{good}{listed}"])) + ".",
        "type": "string",
        "pattern": f"^({'|'.join(forms)})$",
        "examples": [*usual, "missing"],
        "defaultSnippets": [{"label": phrase, "body": phrase} for phrase in (*usual, "missing")],
    }


def _usual(signal: Signal) -> list[str]:
    """Comparisons at the middle of the scale, the one that flags the bad end first."""
    if signal.text is not None and signal.text.counts_finds:
        return [AT_LEAST.write("1")]
    low, high = signal.scale.low, signal.scale.high
    middle = show((low or Fraction(0)) + 1 if low is None or high is None else (low + high) / 2)
    rising = [each.write(middle) for each in COMPARISONS if each.takes == "number"]
    return rising[::-1] if signal.good == "low" else rising


def _unsuitable(signal: Signal) -> tuple[str, ...]:
    """Give what phrases of the signal may not take."""
    if signal.is_percent_only:
        return ("number",)
    return () if signal.kind == "score" else ("percent",)


def _span(scale: Scale) -> str:
    if scale.low is None or scale.high is None:
        return "any number" if scale.low is None else f"from {show(scale.low)}"
    return f"{show(scale.low)} to {show(scale.high)}"


def _scope(settings: FolderSettings) -> Json:
    lines = {
        field: {
            "description": f"Events {presence} carry it. Exact text, or a prefix ending in *; in a list any one fits.",
            "anyOf": [_pattern(field), {"type": "array", "minItems": 1, "items": _pattern(field)}],
        }
        for field, presence in settings.fields.items()
    }
    for field, values in READING_FIELDS.items():
        one: Json = {"enum": list(values)}
        about = f"{_READING[field]} In a list any one fits."
        lines[field] = {"description": about, "anyOf": [one, {"type": "array", "minItems": 1, "items": one}]}
    return {**_object("Fields of the event; every line must fit.", lines, ()), "minProperties": 1}


def _pattern(field: str) -> Json:
    text: Json = {"type": "string", "minLength": 1, "pattern": r"^[^*]*\*?$"}
    if field == "speaker":
        return {"anyOf": [{"enum": list(SPEAKERS)}, {"type": "string", "pattern": r"^[^*]*\*$"}]}
    return text


def _policy_snippet(settings: FolderSettings, signals: list[Signal]) -> Json:
    body = {
        "policy": "${1:my-policy}",
        "about": "${2:What it is for.}",
        "owner": "${3:team@example.com}",
        "rules": [_rule_body(settings, signals, first=4)],
    }
    return {"label": "policy", "description": "A policy with one rule", "body": body}


def _rule_snippet(settings: FolderSettings, signals: list[Signal]) -> Json:
    return {"label": "rule", "description": "A rule, watched only at first", "body": _rule_body(settings, signals, 1)}


def _rule_body(settings: FolderSettings, signals: list[Signal], first: int) -> Json:
    return {
        "rule": f"${{{first}:my-rule}}",
        "about": f"${{{first + 1}:What it catches.}}",
        "mode": f"${{{first + 2}|shadow,live,off|}}",
        "when": {_menu(first + 3, [signal.name for signal in signals]): f"${{{first + 4}:below 0.30}}"},
        "flag": {
            "severity": f"${{{first + 5}|low,medium,high,critical|}}",
            "reason": _menu(first + 6, settings.reasons),
        },
    }


def _menu(number: int, options: Iterable[str]) -> str:
    """Write a tab stop that offers a few words."""
    return f"${{{number}|{','.join(options)}|}}"


def _object(description: str, keys: Mapping[str, Json], required: Iterable[str]) -> Json:
    schema: Json = {"description": description, "type": "object", "additionalProperties": False, "properties": keys}
    wanted = list(required)
    return {**schema, "required": wanted} if wanted else schema


def _text(description: str, pattern: str | None = None) -> Json:
    schema: Json = {"description": description, "type": "string", "minLength": 1}
    return schema if pattern is None else {**schema, "pattern": pattern}


def _choice(description: str, options: Iterable[str]) -> Json:
    return {"description": description, "enum": list(options)}


def _ref(name: str, description: str) -> Json:
    # Draft-07 readers drop the other keys of an object with $ref, so it is wrapped.
    return {"description": description, "allOf": [{"$ref": f"#/definitions/{name}"}]}
