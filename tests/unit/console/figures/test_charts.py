"""Charts fit any width, escape what they are given, and never leave their frame."""

import re
from xml.etree import ElementTree as ET

import pytest

from moderator.console.figures.charts import (
    RuleFlags,
    Share,
    contribution_bar,
    minutes_chart,
    rule_bar,
    scale_chart,
    share_bar,
)
from moderator.console.figures.why import ScaleView
from moderator.console.recent.rates import Minute

HOSTILE = "</title><script>alert(1)</script>\"'&\x00\u202e"
SCALE = ScaleView(0.0, 4.0, is_agreed=True, holds_below=True)

CHARTS = [
    minutes_chart([Minute(0, 3, 5, 1), Minute(60_000, 0, 0, 0)]),
    minutes_chart([]),
    share_bar(HOSTILE, [Share("flag", 0), Share("allow", 0)]),
    share_bar(HOSTILE, [Share(HOSTILE, 3), Share("allow", 1)]),
    rule_bar(RuleFlags(HOSTILE, 2, 3), 5),
    rule_bar(RuleFlags("r", 0, 0), 0),
    contribution_bar(-0.3, -0.5, 0.5, HOSTILE),
    contribution_bar(0.0, 0.0, 0.0, HOSTILE),
    scale_chart(SCALE, 1e300, 1.0, HOSTILE),
    scale_chart(SCALE, None, -7.0, HOSTILE),
]


@pytest.mark.parametrize("chart", CHARTS, ids=range(len(CHARTS)))
def test_a_chart_is_sound_xml_within_its_frame_and_has_a_title(chart: str) -> None:
    root = ET.fromstring(chart)

    assert root.attrib["role"] == "img"
    assert root[0].tag == "title"
    assert root[0].text
    assert not list(root.iter("script"))
    places = [float(place) for place in re.findall(r'(?:x|x1|x2|cx|width)="([-0-9.]+)%"', chart)]
    assert all(0 <= place <= 100 for place in places)
    assert "style=" not in chart


def test_parts_of_a_bar_follow_one_another_to_its_end() -> None:
    chart = share_bar("shares", [Share("flag", 1), Share("allow", 3)])

    parts = re.findall(r'class="(flag|allow)" x="([\d.]+)%" width="([\d.]+)%"', chart)

    assert parts == [("flag", "0.000", "25.000"), ("allow", "25.000", "75.000")]
