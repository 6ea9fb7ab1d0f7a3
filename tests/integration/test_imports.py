"""What a process loads: nothing that it has no use for."""

import subprocess
import sys
from pathlib import Path

from tests.builders import POLICY_FILES, write_files

MODULES_OF_TOOLS = (
    "moderator.policy.authoring",
    "moderator.policy.analysis.diff",
    "moderator.policy.analysis.rule_lines",
    "moderator.policy.analysis.descriptions",
    "moderator.training",
    "moderator.backtest",
    "moderator.calibration",
    "moderator.demo",
)
OF_TRACES = ("moderator.observability.tracing.otel", "opentelemetry.exporter", "google.protobuf", "requests")
"""Redis' client imports parts of the SDK by itself where it is installed."""

CONSOLE = """
import sys
from pathlib import Path
from moderator.console.app import create_app
from moderator.console.running import console_for
from moderator.settings import ConsoleSettings, Settings
settings = Settings(console=ConsoleSettings(**{given}))
console = console_for(settings)
create_app(console)
if settings.console.decisions_file:
    console.source.run()
console.folder.read()
print(*sorted({"torch", "transformers", "kafka", "redis"} & set(sys.modules)))
"""


def _loaded_by_the_console(given: str) -> str:
    command = [sys.executable, "-c", CONSOLE.replace("{given}", given)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_console_on_a_file_of_decisions_needs_no_client_and_no_model() -> None:
    assert _loaded_by_the_console('{"decisions_file": Path("/dev/null")}') == ""


def test_a_console_on_topics_needs_kafkas_client_alone() -> None:
    assert _loaded_by_the_console("{}") == "kafka"


def test_nothing_that_only_tools_need_is_loaded_before_the_first_reload(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "policies", POLICY_FILES)
    steps = (
        "import sys",
        "from pathlib import Path",
        "import moderator.__main__",
        "import moderator.wiring.serving, moderator.wiring.stream",
        "import moderator.wiring.judging as wiring",
        "from moderator.wiring.process import CollectorRegistry, HealthSnapshot",
        "from moderator.wiring.parts import choose, read_folder",
        f"folder = Path({str(folder)!r})",
        "start = choose(read_folder(folder), wiring.Admission(), None)",
        "reloading = wiring.Reloading(",
        "    wiring.FolderWatch(folder), start, wiring.Admission(),",
        "    swap=id, observer=wiring.PolicyObserver(",
        "        wiring.Metrics(CollectorRegistry()),",
        "        wiring.HealthBoard(HealthSnapshot(0, 0)), wiring.time.monotonic, 'scripted'))",
        "reloading.poll(); reloading.poll()",
        "before = set(sys.modules)",
        "Path(folder, 'safety.yaml').write_text(Path(folder, 'safety.yaml').read_text().replace('0.30', '0.35'))",
        "reloading.poll(); reloading.poll()",
        f"tools = {MODULES_OF_TOOLS}",
        "print(sorted(name for name in before if name.startswith(tools)))",
        "print('moderator.policy.analysis.diff' in sys.modules)",
    )

    ran = subprocess.run([sys.executable, "-c", "\n".join(steps)], capture_output=True, text=True, check=True)

    assert ran.stdout.splitlines()[-2:] == ["[]", "True"], ran.stderr


def test_without_traces_nothing_is_imported_for_them() -> None:
    steps = (
        "import sys, moderator.__main__, moderator.wiring.stream as stream, contextlib",
        "from moderator.settings import KafkaSettings",
        "assert stream._tracing(KafkaSettings(), 'tiny', contextlib.ExitStack()) is None",
        f"print([name for name in sys.modules if name.startswith({OF_TRACES})])",
    )

    ran = subprocess.run(
        [sys.executable, "-c", "\n".join(steps)],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin"},
    )

    assert ran.stdout == "[]\n", ran.stderr
