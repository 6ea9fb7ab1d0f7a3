import re
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_FILES = 14
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]


def test_a_package_that_holds_packages_has_an_exhaustive_order_of_layers() -> None:
    ordered = {name for each in CONTRACTS if each.get("exhaustive") for name in each["containers"]}

    assert {dotted(folder.parent) for folder in packages() if folder.parent != ROOT} <= ordered


def test_the_architecture_shows_the_layers_that_are_enforced() -> None:
    layers = next(each["layers"] for each in CONTRACTS if each.get("containers") == ["moderator"])

    assert f"`{' → '.join(layers)}`" in (ROOT / "ARCHITECTURE.md").read_text("utf-8")


def test_a_folder_holds_few_files() -> None:
    files = [*(ROOT / "moderator").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    sizes = Counter(dotted(file.parent) for file in files if file.name != "__init__.py")

    assert sizes.keys() >= {"moderator.policy.engine", "tests", "tests.faults.kills"}
    assert {name: size for name, size in sizes.items() if size > MOST_FILES} == {}


def test_every_package_says_what_is_in_it() -> None:
    silent = [
        dotted(folder) for folder in packages() if not (folder / "__init__.py").read_text("utf-8").startswith('"""')
    ]

    assert silent == []


def test_fixtures_of_a_package_end_with_it() -> None:
    """Pytest takes a folder without an `__init__.py` for no package: they would end with the test process."""
    with_fixtures = [
        file.parent
        for file in (ROOT / "tests").rglob("*.py")
        if re.search(r'^@.*scope="package"', file.read_text(), re.MULTILINE)
    ]

    assert with_fixtures != []
    assert [dotted(folder) for folder in with_fixtures if not (folder / "__init__.py").exists()] == []


def packages() -> list[Path]:
    return [init.parent for init in (ROOT / "moderator").rglob("__init__.py")]


def dotted(folder: Path) -> str:
    return ".".join(folder.relative_to(ROOT).parts)
