"""The grammar on one page, an example of each part: `policy check --about language`, and a part of the README."""

from textwrap import fill
from typing import Final

from moderator.policy.language.comparisons import COMPARISONS

_NUMBERS: Final = {"number": "0.30", "percent": "2%", "nothing": ""}
_WIDTH: Final = 80
_KEPT: Final = "_"
"""Stands for a space at which no line ends."""


def language_page() -> str:
    """Give the page; no line is wider than a terminal."""
    phrases = ", ".join(each.write(_NUMBERS[each.takes]).replace(" ", _KEPT) for each in COMPARISONS)
    comment = fill(f"phrases: {phrases}", _WIDTH, initial_indent="      # ", subsequent_indent="      #   ")
    comment = comment.replace(_KEPT, " ")
    return f"""\
# settings.yaml declares fields, reasons, actions and queues; signals.yaml what
# rules compare: {{from: beavertails-is_safe}}, {{from_event: metadata.age_h}},
# {{from_text: {{words: lists/scam.txt}}}}; each but texts with scale and good end.
policy: newcomers                  # a policy is a file of any name
about: What it is for.
owner: mods@example.com
applies_to: {{speaker: user}}        # every line must fit
rules:                             # all are evaluated; any that counts flags
  - rule: doubtful-message
    about: What it catches.
    mode: live                     # live, shadow or off
    rollout: 25% of users          # also: rollout_seed, starts, until, budget
    applies_to: {{channel: [help, news-*]}}    # in a list any one fits
    when:                          # one phrase, or all: or any: and a list
{comment}
      any: [{{safety: below 0.30}}, {{scam-words: at least 1}}]
    unless: {{account-age: at least 24}}
    except: [{{role: [moderator, staff]}}]     # any one item exempts
    if_score_missing: flag         # flag or allow; also: if_fact_missing
    flag: {{severity: low, reason: spam, action: hold}}  # queue, labels, notify
    # or in place of flag, to leave the verdict as it is: tag: [a-label]
"""
