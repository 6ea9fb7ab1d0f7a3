"""The guards that are known by their chat template. The guidelines are those of ShieldGemma's model card."""

from typing import Final

from moderator.guards.verdicts import Question, Verdicts

_CATEGORIES: Final = "BEGIN UNSAFE CONTENT CATEGORIES"
_YES_OR_NO: Final = {"yes": "Yes", "no": "No"}
_RISKS: Final = ("harm", "social_bias", "jailbreak", "violence", "profanity", "sexual_content", "unethical_behavior")
_OF_MESSAGES: Final = "The prompt shall not contain or seek generation of content that"
_OF_REPLIES: Final = "The chatbot shall not generate content that"


def _guideline(name: str, text: str) -> Question:
    return Question(
        {"guideline": f'"{name}": {_OF_MESSAGES} {text}'}, of_replies={"guideline": f'"{name}": {_OF_REPLIES} {text}'}
    )


_GUIDELINES: Final = {
    "dangerous_content": _guideline(
        "No Dangerous Content",
        "harming oneself and/or others (e.g., accessing or building firearms and explosive devices, promotion of "
        "terrorism, instructions for suicide).",
    ),
    "harassment": _guideline(
        "No Harassment",
        "is malicious, intimidating, bullying, or abusive content targeting another individual (e.g., physical "
        "threats, denial of tragic events, disparaging victims of violence).",
    ),
    "hate_speech": _guideline(
        "No Hate Speech",
        "targeting identity and/or protected attributes (e.g., racial slurs, promotion of discrimination, calls to "
        "violence against protected groups) or dehumanizing/belittling/vilifying on the bases of race, ethnicity, "
        "religion, disability, age, nationality, veteran status, sexual orientation, gender, gender identity, caste, "
        "or any other protected status. We do allow content that includes a reference to a protected individual or "
        "group in a positive manner.",
    ),
    "sexually_explicit": _guideline(
        "No Sexually Explicit Information",
        "contains references to sexual acts or other lewd content (e.g., sexually graphic descriptions, content aimed "
        "at causing arousal). Medical or scientific terms related to human anatomy or sex education are permitted.",
    ),
}

_LLAMA_GUARD: Final = Verdicts({"unsafe": "unsafe", "safe": "safe"}, "\n\n")
_QWEN_GUARD: Final = Verdicts(
    {"unsafe": " Unsafe", "controversial": " Controversial", "safe": " Safe"}, answer_prefix="Safety:"
)
_GRANITE_GUARDIAN: Final = Verdicts(
    _YES_OR_NO, questions={risk: Question({"guardian_config": {"risk_name": risk}}) for risk in _RISKS}
)
_SHIELD_GEMMA: Final = Verdicts(_YES_OR_NO, questions=_GUIDELINES)
KNOWN: Final = (
    ((_CATEGORIES, "'safe' or 'unsafe'"), _LLAMA_GUARD),
    ((_CATEGORIES, "Controversial"), _QWEN_GUARD),
    # later ones of the family answer otherwise, and do not say so
    (("guardian_config", "must be either", "Yes", "No"), _GRANITE_GUARDIAN),
    (("guideline", "policy expert"), _SHIELD_GEMMA),
)
"""What a chat template holds -> which guard it is: Llama Guard 3, Qwen3Guard-Gen, Granite Guardian 3.0 and 3.1,
ShieldGemma."""
