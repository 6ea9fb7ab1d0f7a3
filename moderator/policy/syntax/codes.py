"""The catalogue of everything `policy check` and `policy test` can object to.

A code never changes its meaning; a new kind of diagnostic takes a new code.
"""

from collections.abc import Mapping
from types import MappingProxyType

CODES: Mapping[str, str] = MappingProxyType(
    {
        "P001": "The folder cannot be used: it is empty, holds no policy, or lacks settings.yaml or signals.yaml. "
        "An empty folder is an error and never means that everything is allowed.",
        "P002": "A file cannot be read: not a plain file, a link to nowhere or to itself, no permission, over 1 MB, "
        "doubled as .yml and .yaml, or spelt .YAML.",
        "P003": "A file is not plain UTF-8 text, or holds a character that cannot be seen.",
        "P004": "A file is not valid YAML; often a tab, a missing quote, a wrong indent or a decimal comma.",
        "P005": "Anchors, aliases, merge keys, tags, directives and several documents in a file are not used here: "
        "what you read is all there is.",
        "P006": "A key is written twice in one mapping, so one of the two would be lost.",
        "P007": "The file is nested deeper, or holds more values, than any policy needs.",
        "P008": "A file in the folder does not count: only names that end in .yaml or .yml directly in it do, "
        "calibrations, and lists that a signal names. It may be a copy; or somebody believes that it decides.",
        "P009": "settings.yaml names a format of the language that this version does not know.",
        "P010": "A condition names a signal that signals.yaml does not declare.",
        "P011": "A key is not part of the language at this place.",
        "P012": "A rule matches on a field that settings.yaml does not list under `fields`, or settings.yaml lists one "
        "that every event has.",
        "P013": "A rule gives a reason that settings.yaml does not list under `reasons`.",
        "P014": "A value is not one of those allowed here.",
        "P015": "A name is given twice where it must be unique.",
        "P016": "A name may hold lower-case letters, digits, - and _, and starts with a letter or digit.",
        "P017": "The reasons score_missing, fact_missing, unscored and truncated are given by the engine and cannot be "
        "listed; nor can the action none, which says that there is no action.",
        "P018": "A value of applies_to or except is compared letter by letter, and reads like a comparison, a list or "
        "a pattern, or looks like another value.",
        "P019": "A flag names an action or a queue that settings.yaml does not list under `actions` or `queues`.",
        "P020": "Something required is missing or empty.",
        "P021": "Conditions are joined by all: or any:, and negated by unless: beside when:. Two conditions side by "
        "side, and the words and, or and not, do not say what is meant.",
        "P022": "A list, a mapping or a text is expected here and something else was found.",
        "P023": "A number, true/false or null is written where text is expected; quotes make it text.",
        "P024": "Conditions are nested more than 3 levels deep.",
        "P025": "A pattern can never fit, because a * may only be at the end; or almost never, because of blanks "
        "at its ends.",
        "P026": "A list of a text signal, or an entry of one, cannot be used, or does not do what was meant.",
        "P027": "The phrase does not suit the signal: without a scale only percent phrases and missing say something; "
        "facts and texts take no percent phrase, because no calibration knows them.",
        "P028": "A signal that is read from the event or its text is not written as it must be.",
        "P029": "A pattern cannot be used, or will hardly find what was meant. Patterns are RE2's: they take time that "
        "grows with the text alone. How much a character of it may cost is bounded for all patterns of a folder "
        "together.",
        "P030": "A comparison is not a phrase of the language, such as below 0.30; the error lists them all.",
        "P031": "A number is outside the signal's scale.",
        "P032": "A limit has more than 6 decimals; scores have 6.",
        "P033": "A rule flags what scores best, which is rarely intended.",
        "P034": "A signal's scale or plausible range cannot be right.",
        "P035": "lowest_of and highest_of choose among two or more signals, all of them objectives of the model or all "
        "of them facts, that share one scale and one good end.",
        "P036": "A percent phrase takes 0.1% to 50%, in steps of 0.1%.",
        "P037": "A percent phrase needs a calibration that holds its signal, defined as it is now.",
        "P038": "A limit is finer than the model's scores are: its last digits decide nothing.",
        "P039": "Many recorded scores are equal, so a percent phrase catches more events than it says.",
        "P040": "A calibration file cannot be used.",
        "P041": "A time is not a date, or a date and time with a zone.",
        "P042": "A time that must come first comes last.",
        "P043": "A rollout is a share of users, conversations, tenants or events, such as 25% of users.",
        "P044": "A rule or an exemption is over: its time has passed.",
        "P045": "A budget is a share of events, such as {flag_share: at most 1.5%}.",
        "P046": "An exemption lasts longer than exemption_limit in settings.yaml allows.",
        "P047": "An exemption covers a rule that does not exist.",
        "P048": "An exemption exempts nothing: a rule that it covers is off, or never applies where or when it does.",
        "P049": "A rule in shadow has a rollout, which says something of live rules alone.",
        "P050": "A rule matches whatever the scores are.",
        "P051": "A rule can never match, or exempts every event that it applies to.",
        "P052": "A high or critical rule is limited to a field that events only sometimes carry; events without it "
        "are never flagged by the rule.",
        "P053": "No rule is live, so nothing is ever flagged for a score.",
        "P054": "Another rule already matches whenever this one does, and says at least as much.",
        "P055": "A limit is at the end of its scale: the comparison holds for every score on it, or for none.",
        "P056": "A rule without `when` flags whatever anybody writes, unless its own applies_to limits it by a field "
        "besides speaker.",
        "P057": "A rule flags or tags, not both; a rule that tags has no severity, reason or budget.",
        "P058": "A text for people is wrong: no such key, no English, too long, or nothing uses it.",
        "P060": "A live or shadow rule needs an objective that the model does not have.",
        "P061": "A declared signal needs an objective that the model does not have; no rule uses it.",
        "P062": "A percent phrase was calibrated for another model than the one that runs, or for none.",
        "P063": "The calibration was measured with another number format; scores may differ by their noise.",
        "P064": "The model gives probabilities from 0 to 1, and a scale or a rule needs other scores.",
        "P070": "A test names a policy or rule that does not exist.",
        "P071": "A test leaves out an input that production always has.",
        "P072": "No recorded score is exactly this number on the signal's scale.",
        "P073": "There are no tests, so nothing is shown.",
        "P074": "A live rule needs a test in which it is matched and one in which it is not matched.",
        "P075": "A test expects something else than what the policies decide.",
        "P076": "A test marked known_gap passes, so the gap is closed and the mark can be removed.",
        "P077": "A small change to a rule goes unnoticed by every test, so the tests would not notice that mistake.",
        "P078": "A test gives one number in two ways, such as text and scores, or as missing one that every event has.",
    }
)
"""Code -> what it means, for `policy check --about CODE`."""
