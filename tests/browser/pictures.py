"""Takes the pictures of docs/console.md again: `python -m tests.browser.pictures`; it needs Chromium.

They show an hour of the demo's decisions: the sample events, drawn again and again, most of them harmless.
"""

import json
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson
from playwright.sync_api import Page, sync_playwright

from moderator.console.console import Console
from moderator.console.recent.store import RawDeadLetter
from moderator.console.sources.state import SourceState
from moderator.demo.examples import MODEL_WITH_SPAM, demo_policies
from moderator.demo.samples import sample_events
from moderator.events import iso_time
from moderator.settings import PoliciesSettings, Settings
from tests.browser.chromium import Scheme, ensure_chromium
from tests.browser.scenes import served
from tests.unit.console.decisions import NOW_MS, LabelList, a_console
from tests.warm.process import run_moderator

PICTURES: Final = Path("docs/pictures")
DECISIONS: Final = 4_000
HOUR_MS: Final = 3_600_000
WIDTH: Final = 1180
ALLOWED_FOR_ONE_FLAGGED: Final = 5


def take_all() -> None:
    """Write every picture."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=ensure_chromium(), args=["--no-sandbox"])
        page = browser.new_page(device_scale_factor=1, reduced_motion="reduce")
        shown = console(demo_policies(Path(folder)))
        _take(page, "overview", shown, "/", 860)
        _take(page, "why", shown, "/decisions?rule=spam/likely-spam", 800, then=_open_why)
        _take(page, "playground", shown, "/playground?file=message-safety.yaml", 1000, "dark", then=_edit)
        browser.close()


def _take(  # noqa: PLR0917 - what a picture shows, and how
    page: Page,
    name: str,
    shown: Console,
    path: str,
    height: int,
    scheme: Scheme = "light",
    then: Callable[[Page], None] = lambda _: None,
) -> None:
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.emulate_media(color_scheme=scheme)
    with served(shown) as address:
        page.goto(f"{address}{path}")
        page.wait_for_load_state("networkidle")
        then(page)
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=PICTURES / f"console-{name}.png")


def _open_why(page: Page) -> None:
    page.locator("a[href^='/decisions/']").first.click()
    page.get_by_text("What decided").wait_for()


def _edit(page: Page) -> None:
    editor = page.get_by_test_id("editor")
    editor.fill(editor.input_value().replace("below 0.30", "below 0.42"))
    page.locator("#flips-result .figure").get_by_text("0", exact=True).wait_for(state="detached")
    editor.evaluate("(area) => { area.scrollTop = 130 }")


def console(policies: Path) -> Console:
    """Give a console that follows an hour of decisions by these policies."""
    settings = Settings(policies=PoliciesSettings(path=policies))
    live = SourceState("live", NOW_MS, was_read=True)
    shown = a_console(values=list(_hour(_decisions(policies))), settings=settings, state=live, sink=LabelList())
    malformed = sum(sample.event is None for sample in sample_events())
    draw = random.Random(2)
    shown.recent.add_dead_letters(
        RawDeadLetter([("dlq.reason", b"bad_json")], NOW_MS - draw.randrange(HOUR_MS)) for _ in range(3 * malformed)
    )
    return shown


def _decisions(policies: Path) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        events, output = Path(folder) / "events.jsonl", Path(folder) / "decisions.jsonl"
        events.write_bytes(b"".join(sample.value + b"\n" for sample in sample_events() if sample.event))
        given = ["--model", str(MODEL_WITH_SPAM), "--policies", str(policies), "--output", str(output)]
        ended = run_moderator("score", str(events), *given)
        assert ended.returncode == 0, ended.stderr
        return [json.loads(line) for line in output.read_bytes().splitlines()]


def _hour(decisions: list[dict[str, Any]]) -> Iterator[bytes]:
    """Draw decisions, oldest first; some minutes have more than others."""
    draw = random.Random(1)
    weights = [1 if decision["verdict"] == "flag" else ALLOWED_FOR_ONE_FLAGGED for decision in decisions]
    minutes = draw.choices(range(60), [draw.uniform(0.5, 1) for _ in range(60)], k=DECISIONS)
    times = sorted(NOW_MS - HOUR_MS + minute * 60_000 + draw.randrange(60_000) for minute in minutes)
    for number, (at_ms, drawn) in enumerate(zip(times, draw.choices(decisions, weights, k=DECISIONS), strict=True)):
        sent_ms = at_ms - int(draw.gammavariate(4, 18)) - 5
        event = drawn["event"] | {"id": f"evt-{number:05d}", "timestamp": sent_ms, "offset": number}
        made = {"decision_id": f"mod_{number:032x}", "decided_at": iso_time(at_ms / 1_000), "event": event}
        yield orjson.dumps(drawn | made)


if __name__ == "__main__":
    take_all()
