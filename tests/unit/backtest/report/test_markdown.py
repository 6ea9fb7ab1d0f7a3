from moderator.backtest.report.document import Cell, Document, Fact, Section, Table, number_cell
from moderator.backtest.report.markdown import markdown_of

TABLE = Table("rules", ("rule", "flagged"), ((Cell("a|b"), number_cell(1200)), (Cell("c"), number_cell(3))))
SECTION = Section("Rules", "of all events", "one rule flags most", (TABLE,), (Fact("most", "a|b"),), ("a note",))


def test_a_report_is_written_as_headings_lists_and_tables() -> None:
    text = markdown_of(Document("Report", "", (Fact("events", "1,203"),), (SECTION,)))

    assert text == (
        "# Report\n\n- events: 1,203\n\n## Rules\n\nof all events\none rule flags most\n\n"
        "| rule | flagged |\n| --- | ---: |\n| a\\|b | 1,200 |\n| c | 3 |\n\n- most: a\\|b\n\na note\n"
    )
