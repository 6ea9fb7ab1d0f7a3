"""The backtest's report as one page: no script, nothing fetched, readable offline, in light and dark, on paper."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.resources import files

from moderator.backtest.counting.limits import LimitReport
from moderator.backtest.counting.rates import LEAST_LABELS
from moderator.backtest.report.charts import histogram, rates
from moderator.backtest.report.tables import BacktestReport, GroupReport, LabelsReport, Matrix, RuleReport
from moderator.backtest.report.wording import (
    SHOWN_GROUPS,
    SHOWN_UNUSED,
    budget_text,
    cell_text,
    fidelity_texts,
    margin_text,
    number_text,
    rate_text,
    share_text,
)
from moderator.policy.syntax.diagnostics import printable

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def backtest_page(report: BacktestReport) -> str:
    """Write the page of a report whose fidelity is whole."""
    style = files("moderator.backtest.report").joinpath("page.css").read_text(encoding="utf-8")
    body = "\n".join(section for section in _sections(report) if section)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Backtest of {_text(report.candidate.folder)} against {_text(report.baseline.folder)}</title>\n"
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _sections(report: BacktestReport) -> Iterator[str]:
    yield _header(report)
    yield _section("Replay fidelity", "".join(f"<p>{_text(text)}.</p>" for text in fidelity_texts(report)))
    yield _section("Flips", _flips(report.flips))
    yield _section("By rule", _rules(report.rules))
    for name, groups in report.groups.items():
        if any(group.value is not None for group in groups):
            yield _section(f"By {name}", _groups(name, groups))
    if report.labels:
        yield _section("What people said", _labels(report.labels))
    yield _section("Scores and limits", "".join(map(_limit, report.limits)))
    if report.nearest:
        yield _section("Nearest to the candidate's limits", _nearest(report))
    if report.unused_exceptions:
        yield _section("Exceptions that spared no event", _unused(report))
    if report.budgets:
        yield _section("Budgets", _budgets(report))


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{title}</h2>\n{content}\n</section>" if content else ""


def _header(report: BacktestReport) -> str:
    events, flips = report.events, report.flips
    before, after = (share_text(count, flips.events) for count in (flips.flagged_before, flips.flagged_after))
    facts = {
        "events": f"{events.count:,} of {events.source}, {events.unscored:,} of them unscored",
        "decided": f"{events.first} to {events.last}",
        **{
            f"model {number}" if len(events.models) > 1 else "model": (
                f"{model.name}, {model.dtype}, {model.fingerprint}: {model.events:,} events"
            )
            for number, model in enumerate(events.models, start=1)
        },
        "baseline": f"{report.baseline.folder}, snapshot {report.baseline.snapshot}",
        "candidate": f"{report.candidate.folder}, snapshot {report.candidate.snapshot}",
    }
    listed = "".join(f"<dt>{name}</dt><dd>{_text(fact)}</dd>" for name, fact in facts.items())
    return (
        f"<header>\n<h1>Backtest</h1>\n<p class=lede>The candidate flags {after} of the events, the baseline {before}: "
        f"{flips.flips:,} verdicts change.</p>\n<dl>{listed}</dl>\n</header>"
    )


def _flips(flips: Matrix) -> str:
    def cell(count: int, *, is_change: bool) -> str:
        mark = " change" if is_change and count else ""
        return f'<td class="n{mark}">{count:,} <span class=soft>{share_text(count, flips.events)}</span></td>'

    rows = (
        ("baseline allow", cell(flips.allow_allow, is_change=False), cell(flips.allow_flag, is_change=True)),
        ("baseline flag", cell(flips.flag_allow, is_change=True), cell(flips.flag_flag, is_change=False)),
    )
    body = "".join(f"<tr><th scope=row>{name}</th>{left}{right}</tr>" for name, left, right in rows)
    head = "<tr><td></td><th scope=col class=n>candidate allow</th><th scope=col class=n>candidate flag</th></tr>"
    return _wide(
        "Flips", f"<table><caption>Events by both verdicts</caption><thead>{head}</thead><tbody>{body}</tbody></table>"
    )


def _rules(rules: Sequence[RuleReport]) -> str:
    return _table(
        "Events that each rule itself flags; watched: matched without flagging, as shadow or outside of its rollout",
        ["rule", "baseline", "candidate", "#flagged before", "#after", "#gained", "#lost", "#watched"],
        [
            [rule.rule, rule.baseline or "none", rule.candidate or "none", *_moves(rule.flips), f"{rule.watched:,}"]
            for rule in rules
        ],
    )


def _moves(flips: Matrix) -> list[str]:
    counts = (flips.flagged_before, flips.flagged_after, flips.allow_flag, flips.flag_allow)
    return [f"{count:,}" for count in counts]


def _groups(name: str, groups: Sequence[GroupReport]) -> str:
    left_out = len(groups) - SHOWN_GROUPS
    more = f"; {left_out:,} more with fewer flips are left out" if left_out > 0 else ""
    return _table(
        f"Those with the most flips first{more}",
        [name, "#events", "#flagged before", "#after", "#gained", "#lost"],
        [
            [
                group.value or "(none)",
                f"{group.flips.events:,}",
                share_text(group.flips.flagged_before, group.flips.events),
                share_text(group.flips.flagged_after, group.flips.events),
                f"{group.flips.allow_flag:,}",
                f"{group.flips.flag_allow:,}",
            ]
            for group in groups[:SHOWN_GROUPS]
        ],
    )


def _labels(labels: LabelsReport) -> str:
    cells = _table(
        f"{labels.given:,} labels, {labels.unused:,} of them of other events; shares with 95% Wilson intervals",
        [
            "events by verdict",
            "#events",
            "#labelled",
            "#coverage",
            "#said flag",
            "#said allow",
            "share that deserves flag",
        ],
        [
            [
                cell_text(cell),
                f"{cell.events:,}",
                f"{cell.labelled:,}",
                share_text(cell.labelled, cell.events),
                f"{cell.deserve_flag.count:,}",
                f"{cell.labelled - cell.deserve_flag.count:,}",
                rate_text(cell.deserve_flag),
            ]
            for cell in labels.cells
        ],
    )
    both = _table(
        "Of labelled events alone",
        ["", "baseline", "candidate"],
        [["precision", *map(rate_text, labels.precision)], ["recall", *map(rate_text, labels.recall)]],
    )
    note = (
        f"<p class=soft>Fewer than {LEAST_LABELS} labels give no rate. Labels exist mostly for what was flagged: "
        "recall is as good as the labels of what was allowed.</p>"
    )
    return cells + both + note


def _limit(limit: LimitReport) -> str:
    side = "" if limit.part == "when" else "unless "
    unit = f", in {limit.unit}" if limit.unit else ""
    title = f"{limit.rule}: {side}{limit.signal} {limit.comparison}{unit}"
    charts = [_figure(histogram(limit), "Events by score")]
    if curve := rates(limit):
        charts.append(_figure(curve, "Precision and recall of the whole candidate by this limit, the rule as if live"))
    return _wide(title, f"<h3>{_text(title)}</h3>{''.join(charts)}{_limit_tables(limit)}")


def _figure(chart: str, caption: str) -> str:
    return f"<figure>{chart}<figcaption class=soft>{caption}</figcaption></figure>"


def _limit_tables(limit: LimitReport) -> str:
    bars = _bare_table(
        "Events by score",
        ["score from", "#events"],
        [[f"{number_text(bar.low)} to {number_text(bar.high)}", f"{bar.events:,}"] for bar in limit.bars],
    )
    rows = _bare_table(
        "Limits tried, the rule as if live, all else as it is",
        ["limit", *(["#flagged", "#share"] if limit.is_swept else []), "precision", "recall"],
        [
            [
                number_text(row.limit),
                *([f"{row.flagged or 0:,}", f"{row.flagged_share or 0:.2%}"] if limit.is_swept else []),
                rate_text(row.precision),
                rate_text(row.recall),
            ]
            for row in limit.rows
        ],
    )
    return f"<details><summary>As tables</summary>{bars}{rows}</details>"


def _nearest(report: BacktestReport) -> str:
    return _table(
        "Whom a small change would touch first",
        ["limit", "event", "tenant", "#score", "margin"],
        [
            [
                f"{near.rule}: {near.signal} {near.phrase}",
                event.event_id,
                event.tenant or "",
                number_text(event.score),
                margin_text(event.margin),
            ]
            for near in report.nearest
            for event in near.events
        ],
    )


def _unused(report: BacktestReport) -> str:
    shown = report.unused_exceptions[:SHOWN_UNUSED]
    left_out = len(report.unused_exceptions) - len(shown)
    more = f"; {left_out:,} more are left out" if left_out else ""
    return _table(f"Of the candidate{more}", ["rule", "exception"], [[each.rule, each.exception] for each in shown])


def _budgets(report: BacktestReport) -> str:
    rows = [[each.rule, budget_text(each), "broken" if each.is_broken else "kept"] for each in report.budgets]
    return _table("Share of all events that the rule flags", ["rule", "flags", ""], rows).replace(
        "<td>broken</td>", "<td class=bad>broken</td>"
    )


def _table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return _wide(caption, _bare_table(caption, header, rows))


def _bare_table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; a column whose name starts with # holds numbers, the first one names the row."""
    classes = [" class=n" if name.startswith("#") else "" for name in header]
    columns = zip(header, classes, strict=True)
    head = "".join(f"<th scope=col{mark}>{_text(name.removeprefix('#'))}</th>" for name, mark in columns)
    body = "".join(f"<tr>{''.join(_cells(row, classes))}</tr>" for row in rows)
    return f"<table><caption>{_text(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(row: Sequence[str], classes: Sequence[str]) -> Iterator[str]:
    yield f"<th scope=row>{_text(row[0])}</th>"
    yield from (f"<td{mark}>{_text(text)}</td>" for text, mark in zip(row[1:], classes[1:], strict=True))


def _wide(name: str, content: str) -> str:
    """Let what is wider than the window be scrolled, by keyboard too."""
    return f'<div class=wide role=region tabindex=0 aria-label="{_text(name)}">{content}</div>'


def _text(text: str) -> str:
    return escape(printable(text))
