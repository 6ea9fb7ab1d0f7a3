"""How often rules were right, by what people said."""

from moderator.console.console import Console
from moderator.console.figures.policies import RuleFigures
from moderator.labels.rates import Share


def precision_by_rule(console: Console, rules: list[RuleFigures]) -> dict[str, Share]:
    """Give each rule's share of labelled events that deserve a flag, of none where nothing is labelled."""
    known = console.desk.book.precision()
    return {each.rule.id: known.get(each.rule.id, Share(0, 0)) for each in rules}


def share_record(share: Share) -> dict[str, float | int | None]:
    """Give a share of labelled events as programs read it, however few they are."""
    low, high = share.interval or (None, None)
    return {"labelled": share.of, "deserve_flag": share.count, "share": share.share, "low": low, "high": high}
