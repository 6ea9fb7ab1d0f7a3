"""Writes `policies/calibration/NAME.json`: how one model's rewards were spread over recorded events, frozen.

Percent phrases read it: `in the lowest P%` is reward <= q[10P], `in the highest P%` is reward >= q[1000-10P].
Rewards are raw and by objective, so that no edit of signals.yaml makes a file stale; a signal whose scale multiplies
by less than zero turns the quantiles round. The file is JSON, one object:

    {"format": 1,
     "model": {"name": "ArmoRM-Llama3-8B-v0.1", "fingerprint": "sha256:…", "dtype": "bfloat16"},
     "framing": "reply/1",
     "window": {"from": "2026-10-01T00:00:00.000Z", "until": "2026-10-08T00:00:00.000Z"},
     "events": 120000,
     "quantiles": {"beavertails-is_safe": [0.0123, …]},
     "derived": {"usefulness": {"lowest_of": ["helpfulness", "correctness"], "quantiles": [-0.31, …]}},
     "noise": {"beavertails-is_safe": 0.004}}

- `model`: as the decisions recorded it; the fingerprint tells the revision. One model a file.
- `window`: when the first and the last of the events were decided (`decided_at`), both included.
- `events`: scored events counted, 1,000 or more; those without any score are not among them.
- `quantiles`: objective -> q[0..1000], nearest rank: with n usable rewards sorted, q[i] is number
  max(1, ceil(i n / 1000)). Rewards as recorded: rounded half to even to 6 decimals, rising. An objective with fewer
  than 1,000 usable rewards is left out.
- `derived`: signal -> its definition and q[0..1000] of its score on the human scale, 6 decimals; empty without any.
  Its quantiles do not follow from those of its members. A definition that is no longer signals.yaml's is stale.
- `noise`: objective -> how far one text's rewards may lie apart from pack to pack (the greatest difference measured,
  raw units); null where it was not measured.

Written with sorted keys, one list a line, so that a change can be read in review.
"""
