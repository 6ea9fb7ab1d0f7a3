"""YAML directives, the lines that start with %: not used in policy files."""

from moderator.policy.syntax.diagnostics import Diagnostics, SourceFile, Span

_HARMLESS = ["%YAML", "1.2"]


def without_directives(file: SourceFile, diagnostics: Diagnostics) -> str:
    """Report directives, whose place the parser does not give, and give the text with comments in their place."""
    lines = list(file.lines)
    is_before_content = True
    for index, line in enumerate(lines):
        if is_before_content and line.startswith("%"):
            lines[index] = f"#{line[1:]}"
            if line.split() != _HARMLESS:
                span = Span(file, index + 1, 1, len(line))
                diagnostics.error("P005", span, "YAML directives are not used here", "remove this line")
        elif line.strip() and not line.lstrip().startswith("#"):
            is_before_content = line.startswith("...")
    return "\n".join(lines)
