"""The demo's table, line by line: it grows downwards and is never redrawn, so nothing is lost when it scrolls away.

A terminal of 120 columns or more shows rule, reason and message on one line, a smaller one on several.
"""

from collections.abc import Sequence

from rich.text import Text

from moderator.demo.rows import Row, Score

_WIDE = 120
_MAX_SIGNALS = 3
_VERDICT_WIDTH, _RULE_WIDTH, _REASON_WIDTH = 13, 33, 16
_LEAST_SIGNAL_WIDTH, _MOST_SIGNAL_WIDTH = 6, 12
_GAP = "  "
_SLACK = 2  # a terminal may show a script wider than is computed here
_COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "allow": "green"}
_DEAD_LETTER_COLOUR = "magenta"


def header(signals: Sequence[str], width: int) -> Text:
    """Give the line with the columns' names for a terminal of `width` columns."""
    left = [_left("verdict", _VERDICT_WIDTH), *(_right(Text(name), _signal_width(name)) for name in _shown(signals))]
    wide = [_left("rule", _RULE_WIDTH), _left("reason", _REASON_WIDTH), Text("message")]
    line = _join(left + (wide if width >= _WIDE else [Text("rule and reason, message")]))
    line.stylize("bold underline")
    return line


def table_row(row: Row, signals: Sequence[str], width: int) -> Text:
    """Give one row, of one or two lines, aligned with the header of the same signals and width."""
    left = _join([_verdict(row), *_scores(row, signals)])
    return _wide(row, left, width) if width >= _WIDE else _narrow(row, left, width)


def plain(row: Row) -> str:
    """Give one row as a line of words."""
    scores = ", ".join(f"{score.signal} {_number(score)}" for score in row.scores)
    cells = [f"{row.verdict} {row.severity}".strip(), scores, row.rules, row.reasons, _message(row)]
    return " | ".join(cell for cell in cells if cell)


def _wide(row: Row, left: Text, width: int) -> Text:
    line = _join([left, _left(row.rules, _RULE_WIDTH), _left(row.reasons, _REASON_WIDTH), Text()])
    return line + _clip(_message(row), width - line.cell_len)


def _narrow(row: Row, left: Text, width: int) -> Text:
    first, *below = [text for text in (_why(row), _message(row)) if text]
    indent = left.cell_len + len(_GAP)
    lines = [_join([left, _clip(first, width - indent)])]
    lines += [Text(" " * indent) + _clip(text, width - indent) for text in below]
    return Text("\n").join(lines)


def _why(row: Row) -> str:
    if row.verdict == "dead letter":
        return f"{row.reasons}: {row.rules}"
    rules = [name.rpartition("/")[2] for name in row.rules.split(", ")]  # the policy's name has no room here
    return f"{', '.join(rules)}  {row.reasons}".strip()


def _shown(signals: Sequence[str]) -> Sequence[str]:
    return signals[:_MAX_SIGNALS]


def _signal_width(signal: str) -> int:
    return min(max(len(signal), _LEAST_SIGNAL_WIDTH), _MOST_SIGNAL_WIDTH)


def _verdict(row: Row) -> Text:
    colour = _COLOURS.get(row.severity or row.verdict, _DEAD_LETTER_COLOUR)
    return _left(f"{row.verdict} {row.severity}".strip(), _VERDICT_WIDTH, colour)


def _scores(row: Row, signals: Sequence[str]) -> list[Text]:
    by_signal = {score.signal: score for score in row.scores}
    return [_right(_score(by_signal.get(signal)), _signal_width(signal)) for signal in _shown(signals)]


def _score(score: Score | None) -> Text:
    if score is None:
        return Text()
    return Text(_number(score), "bold red" if score.is_cause else "")


def _number(score: Score) -> str:
    return "none" if score.value is None else f"{score.value:.2f}"


def _message(row: Row) -> str:
    return f"{row.speaker}: {row.text}" if row.speaker else row.text


def _join(cells: Sequence[Text]) -> Text:
    return Text(_GAP).join(cells)


def _left(text: str, width: int, style: str = "") -> Text:
    cell = Text(text, style)
    cell.truncate(width, overflow="ellipsis", pad=True)
    return cell


def _right(cell: Text, width: int) -> Text:
    cell.truncate(width, overflow="ellipsis")
    cell.pad_left(width - cell.cell_len)
    return cell


def _clip(text: str, width: int) -> Text:
    clipped = Text(text)
    clipped.truncate(max(width - _SLACK, 1), overflow="ellipsis")
    return clipped
