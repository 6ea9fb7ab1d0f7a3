"""Three-valued logic over conditions: true, false, and None for unknown."""

from collections.abc import Callable, Sequence

from moderator.policy.language.ast import Condition, Expression, Rule

Held = bool | None
Verdicts = Sequence[Held]
"""The verdicts of conditions; a rule's own stand side by side, in the order of `Rule.conditions`."""


def compile_logic(rule: Rule, first: int) -> Callable[[Verdicts], Held]:
    """Compile `when` and not `unless` into one function; without `when` it is true.

    The function finds the rule's first verdict at position `first` of those that it is given.
    """
    when, used = _compile_when(rule, first)
    if rule.unless is None:
        return when
    unless, _ = compile_expression(rule.unless, used)

    def evaluate(held: Verdicts) -> Held:
        matches, prevents = when(held), unless(held)
        if matches is False or prevents is True:
            return False
        return None if matches is None or prevents is None else True

    return evaluate


def _compile_when(rule: Rule, first: int) -> tuple[Callable[[Verdicts], Held], int]:
    return (lambda _: True, first) if rule.when is None else compile_expression(rule.when, first)


def compile_expression(expression: Expression, first: int) -> tuple[Callable[[Verdicts], Held], int]:
    """Compile an expression whose first condition is at `first`; also give the position after its last."""
    if isinstance(expression, Condition):
        return (lambda held: held[first]), first + 1
    decisive = expression.kind == "any"
    if all(isinstance(part, Condition) for part in expression.parts):
        end = first + len(expression.parts)
        return _flat_group(first, end, decisive=decisive), end
    parts: list[Callable[[Verdicts], Held]] = []
    position = first
    for part in expression.parts:
        compiled, position = compile_expression(part, position)
        parts.append(compiled)
    return _group(tuple(parts), decisive=decisive), position


# `all` is decided by any false, `any` by any true; unknown wins over the rest.
def _flat_group(first: int, end: int, *, decisive: bool) -> Callable[[Verdicts], Held]:
    def evaluate(held: Verdicts) -> Held:
        parts = held[first:end]
        if decisive in parts:
            return decisive
        return None if None in parts else not decisive

    return evaluate


def _group(parts: tuple[Callable[[Verdicts], Held], ...], *, decisive: bool) -> Callable[[Verdicts], Held]:
    def evaluate(held: Verdicts) -> Held:
        result: Held = not decisive
        for part in parts:
            value = part(held)
            if value is decisive:
                return decisive
            if value is None:
                result = None
        return result

    return evaluate
