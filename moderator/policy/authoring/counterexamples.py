"""Events that only one of two versions of a rule flags, searched for near limits and at the edges of scopes.

Each is confirmed by the judge. None found is no proof that there is none.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from random import Random
from typing import Final, Literal, NamedTuple, get_args

from moderator.policy.analysis.covering import Placed
from moderator.policy.analysis.text_changes import may_read
from moderator.policy.engine.combining import Judgement
from moderator.policy.engine.rollout import compile_rollout
from moderator.policy.given_numbers import event_with
from moderator.policy.language.ast import Scope, Signal, Source
from moderator.policy.language.bounds import bounds_of
from moderator.policy.language.event_time import iso_utc
from moderator.policy.language.fields import CLOSED_FIELDS
from moderator.policy.language.scale import MILLION
from moderator.policy.language.text_source import MESSAGE, TextSource
from moderator.policy.test_runner import event_of

Side = Literal["A", "B"]
"""The first of two folders, or the second."""

TRIES: Final = 10_000
_UNITS: Final = {"users": "user", "conversations": "conversation_id", "tenants": "tenant", "events": "id"}
_UNIT_NAMES: Final = tuple(f"example-{number}" for number in range(1, 2_001))
Places = tuple[int, ...]
"""Which of its values each thing has that can make a difference."""
_RARE: Final = 0.15
"""How often a value is drawn from all that there are."""
_USUAL_MICRO: Final = MILLION // 2
"""The reward of what neither version asks for."""


class Counterexample(NamedTuple):
    """An event that one version flags and the other does not.

    Attributes:
        event: the fields that either version asks for, and what it carries of them; `time` where they ask for that.
        signals: the scores that either version compares, on the scales of the folder that flags; None: missing.
    """

    flagged_by: Side
    event: Mapping[str, str]
    signals: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Search:
    """What was found, at most one event for each side, and how many were tried."""

    found: tuple[Counterexample, ...]
    tries: int

    def by(self, side: Side) -> Counterexample | None:
        """Give the event that only one side flags."""
        return next((each for each in self.found if each.flagged_by == side), None)


def counterexamples(old: Placed, new: Placed) -> Search:
    """Search for an event that only the old version of a rule flags, and one that only the new one does."""
    calibrated = [[*each.policies.calibrations] for each in (old, new) if _has_percent(each)]
    model = next((name for name in calibrated[0] if name in calibrated[-1]), None) if calibrated else None
    if calibrated and model is None:  # no model gives both what they ask for
        return Search((), 0)
    space = _Space(old, new, model)
    one, other = (_Version(each, space.objectives, model, side) for side, each in enumerate((old, new)))
    found: dict[Side, Counterexample] = {}
    tries = 0
    waiting: list[Places] = []
    spread: set[Places] = set()
    drawn = space.places()
    while len(found) < len(get_args(Side)) and tries < TRIES:
        places = waiting.pop() if waiting else next(drawn, None)
        if places is None:
            break
        tries += 1
        scene = space.scene(places)
        was, now = one.judge(scene), other.judge(scene)
        if _flags(was) != _flags(now):
            side: Side = "A" if _flags(was) else "B"
            found.setdefault(side, space.shown(side, scene, was if side == "A" else now))
        elif _flags(was) and not space.is_tried_in_full and places not in spread:
            # where both flag, they may part over one thing
            spread.add(places)
            waiting += space.beside(places)
    return Search(tuple(found[side] for side in sorted(found)), tries)


class _Scene(NamedTuple):
    """Fields, the time, and the number of each source of signals in whole millionths by either side; None: missing.

    The sides differ in texts that they read by other lists.
    """

    fields: Mapping[str, str]
    at_ms: int
    micros: Mapping[Source, tuple[int | None, int | None]]
    is_unscored: bool


class _Version:
    """One version of the rule, alone in its folder."""

    def __init__(self, placed: Placed, objectives: Sequence[str], model: str | None, side: int) -> None:
        policy = next(each for each in placed.policies.policies if placed.rule in each.rules)
        alone = replace(placed.policies, policies=(replace(policy, rules=(placed.rule,)),), tests=())
        self._judge = alone.bind(objectives, model)
        self._objectives = objectives
        self._side = side

    def judge(self, scene: _Scene) -> Judgement:
        micros = {source: pair[self._side] for source, pair in scene.micros.items()}
        event = event_with(event_of(scene.fields), micros)
        return self._judge.decide(event, None if scene.is_unscored else self._rewards(micros), scene.at_ms)

    def _rewards(self, micros: Mapping[Source, int | None]) -> list[float | None]:
        rewards = (micros.get(("score", name), _USUAL_MICRO) for name in self._objectives)
        return [None if micro is None else micro / MILLION for micro in rewards]


class _Axis(NamedTuple):
    """How many values there are to try; the last `rare` ones almost never let a rule flag anything."""

    length: int
    rare: int


class _Space:
    """Everything that can make a difference to one of the two versions, each with the values worth a try."""

    def __init__(self, old: Placed, new: Placed, model: str | None) -> None:
        versions = (old, new)
        self.objectives = tuple(dict.fromkeys(name for each in versions for name in _objectives(each)))
        self._signals = tuple(dict.fromkeys(one.signal.name for each in versions for one in each.rule.conditions))
        self._fields = _field_values(versions)
        self._times = sorted(_times(versions))
        decisive = _decisive_micros(versions, model)
        self._micros = {source: [*_pairs(source, each, versions)] for source, each in decisive.items()}
        # whether the model gave a score at all makes a difference to rules that need none
        self._unscored = (False, True) if any(map(_needs_no_score, versions)) else (False,)
        self._axes = [
            _Axis(len(self._unscored), 1),
            _Axis(max(1, len(self._times)), 0),
            *(_Axis(len(each), each[-1:].count(None) * 2) for each in self._fields.values()),
            *(_Axis(len(each), each[-1:].count((None, None))) for each in self._micros.values()),
        ]

        self.is_tried_in_full = prod(axis.length for axis in self._axes) <= TRIES

    def places(self) -> Iterator[Places]:
        """Give every combination where these are few, else some drawn at random, the same ones each time."""
        if self.is_tried_in_full:
            yield from product(*(range(axis.length) for axis in self._axes))
            return
        random = Random(0)
        for _ in range(TRIES):
            yield tuple(_drawn(axis, random) for axis in self._axes)

    def beside(self, places: Places) -> Iterator[Places]:
        """Give the combinations that differ in one thing."""
        for number, axis in enumerate(self._axes):
            for place in range(axis.length):
                if place != places[number]:
                    yield (*places[:number], place, *places[number + 1 :])

    def scene(self, places: Places) -> _Scene:
        """Give what a combination stands for."""
        is_unscored, at, *others = places
        of_fields, of_micros = others[: len(self._fields)], others[len(self._fields) :]
        fields = {name: each[place] for (name, each), place in zip(self._fields.items(), of_fields, strict=True)}
        micros = {name: each[place] for (name, each), place in zip(self._micros.items(), of_micros, strict=True)}
        carried = {name: value for name, value in fields.items() if value is not None}
        at_ms = self._times[at] if self._times else 0
        return _Scene({"speaker": "user", **carried}, at_ms, micros, self._unscored[is_unscored])

    def shown(self, side: Side, scene: _Scene, judgement: Judgement) -> Counterexample:
        """Leave out what neither version asks for."""
        fields = {name: scene.fields[name] for name in self._fields if name in scene.fields}
        if self._times:
            fields["time"] = iso_utc(scene.at_ms)
        signals = {name: judgement.signals[name] for name in self._signals if name in judgement.signals}
        return Counterexample(side, fields, signals)


def _flags(judgement: Judgement) -> bool:
    return any(result["counted"] and result["severity"] is not None for result in judgement.rules)


def _needs_no_score(placed: Placed) -> bool:
    conditions = placed.rule.conditions
    return not conditions or any(condition.signal.kind != "score" for condition in conditions)


def _drawn(axis: _Axis, random: Random) -> int:
    is_usual = axis.length > axis.rare and random.random() > _RARE
    return random.randrange(axis.length - axis.rare if is_usual else axis.length)


def _objectives(placed: Placed) -> Iterator[str]:
    return (name for signal in placed.policies.signals for name in signal.objectives)


def _has_percent(placed: Placed) -> bool:
    return any(condition.percent is not None for condition in placed.rule.conditions)


def _decisive_micros(versions: Iterable[Placed], model: str | None) -> dict[Source, set[int]]:
    """Give the numbers on either side of each limit, by what signals are read from."""
    found: dict[Source, set[int]] = {}
    for placed in versions:
        calibration = placed.policies.calibration_of(model)
        for condition in placed.rule.conditions:
            bounds = bounds_of(condition, calibration) or (0, 0)
            for signal in condition.signal.members or (condition.signal,):
                found.setdefault(signal.source, set()).update(_beside(signal, bounds))
    return found


def _beside(signal: Signal, bounds: tuple[int, int]) -> Iterator[int]:
    low, high = bounds
    least, greatest = signal.plausible
    for micro in (low - 1, low, high, high + 1, least - 1, greatest + 1):
        if low <= high and abs(micro) < signal.greatest_micro:
            yield micro
    if low > high:  # `missing`: any reward at all is the other side
        yield min(max(_USUAL_MICRO, least), greatest)


def _pairs(
    source: Source, micros: Iterable[int], versions: Iterable[Placed]
) -> Iterator[tuple[int | None, int | None]]:
    """Give the numbers that the two versions may read from one event, which differ only where texts are read apart."""
    kind, name = source
    texts = [text for placed in versions if (text := _text_of(name, placed)) is not None] if kind == "text" else []
    numbers = sorted(set(micros) if not texts else set(_measurable(micros, texts[0])))
    apart = [(was, now) for was in numbers for now in numbers] if len(texts) > 1 else []
    yield from ((number, number) for number in numbers if not apart)
    yield from ((was, now) for was, now in apart if may_read(texts[0], texts[1], was, now))
    if not texts or texts[0].of != MESSAGE:
        yield None, None


def _text_of(name: str, placed: Placed) -> TextSource | None:
    signals = (one for condition in placed.rule.conditions for one in condition.signal.members or (condition.signal,))
    return next((signal.text for signal in signals if signal.name == name), None)


def _measurable(micros: Iterable[int], text: TextSource) -> Iterator[int]:
    """Give numbers that a text can have: a share, or a whole one."""
    for micro in micros:
        if text.kind == "capitals":
            yield min(max(micro, 0), MILLION)
        else:
            yield from (max(0, whole * MILLION) for whole in (micro // MILLION, -(-micro // MILLION)))


def _field_values(versions: Iterable[Placed]) -> dict[str, list[str | None]]:
    """Give the values of each field that scopes, exceptions, exemptions or rollouts ask for; None: it has none."""
    named: dict[str, set[str]] = {}
    for scope in (scope for placed in versions for scope in _scopes(placed)):
        for line in scope:
            named.setdefault(line.field, set()).update(line.exact, (f"{prefix}example" for prefix in line.prefixes))
    for unit, names in _unit_names(versions):
        named.setdefault(unit, set()).update(names)
    return {
        field: [*CLOSED_FIELDS[field]] if field in CLOSED_FIELDS else [*sorted(values), "another", None]
        for field, values in named.items()
    }


def _scopes(placed: Placed) -> Iterator[Scope]:
    yield placed.rule.scope
    yield from placed.rule.exempt_scopes
    yield from (each.scope for each in placed.policies.exemptions if placed.rule.id in each.covers)


def _unit_names(versions: Iterable[Placed]) -> Iterator[tuple[str, list[str]]]:
    """Give, for each kind of unit that is rolled out to, one that is inside and one outside of each combination."""
    rollouts = [placed.rule.rollout for placed in versions if placed.rule.rollout is not None]
    inside = [compile_rollout(rollout) for rollout in rollouts]
    for field in {_UNITS[rollout.unit] for rollout in rollouts}:
        kinds: dict[tuple[bool, ...], str] = {}
        for name in _UNIT_NAMES:
            event = event_of({"speaker": "user", field: name})
            kinds.setdefault(tuple(is_inside(event) for is_inside in inside), name)
        yield field, list(kinds.values())


def _times(versions: Iterable[Placed]) -> set[int]:
    ends = {end for placed in versions for end in _ends(placed) if end is not None}
    return {moment for end in ends for moment in (end - 1, end)}


def _ends(placed: Placed) -> Iterator[int | None]:
    yield from (placed.rule.starts_ms, placed.rule.until_ms)
    for exemption in placed.policies.exemptions:
        if placed.rule.id in exemption.covers:
            yield from (exemption.added_ms, exemption.until_ms)
