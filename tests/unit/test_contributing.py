"""What CONTRIBUTING.md shows is in the code."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_example_is_an_excerpt_of_the_file_that_it_names() -> None:
    examples = re.findall(r"```python\n# (\S+)\n(.+?)```", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.DOTALL)

    assert len(examples) == 2
    assert all(example in (ROOT / path).read_text("utf-8") for path, example in examples)
