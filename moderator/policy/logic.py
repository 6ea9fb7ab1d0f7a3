"""Three-valued logic over conditions: true, false, and None for what cannot be told."""

from collections.abc import Callable, Sequence

from moderator.policy.model import Condition, Expression, Rule

Held = bool | None
Verdicts = Sequence[Held]
"""What each condition of a rule said, in the order of `Rule.conditions`."""


def compile_rule(rule: Rule) -> Callable[[Verdicts], Held]:
    """Compile `when` and not `unless` into one function."""
    when, used = compile_expression(rule.when, 0)
    if rule.unless is None:
        return when
    unless, _ = compile_expression(rule.unless, used)
    return lambda held: both(when(held), negate(unless(held)))


def compile_expression(expression: Expression, first: int) -> tuple[Callable[[Verdicts], Held], int]:
    """Compile an expression whose first condition stands at `first`; also give the position after its last."""
    if isinstance(expression, Condition):
        return (lambda held: held[first]), first + 1
    parts: list[Callable[[Verdicts], Held]] = []
    position = first
    for part in expression.parts:
        compiled, position = compile_expression(part, position)
        parts.append(compiled)
    # `all` is decided by any false, `any` by any true; unknown wins over the rest.
    decisive = expression.kind == "any"
    return _group(tuple(parts), decisive=decisive), position


def both(left: Held, right: Held) -> Held:
    """Give the three-valued and."""
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def negate(value: Held) -> Held:
    """Give the three-valued not."""
    return None if value is None else not value


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
