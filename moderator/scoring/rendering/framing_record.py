"""How a decision records what the operator set of how events are read."""

from moderator.settings import ModelSettings, ReadingSettings


def framing_suffix(model: ModelSettings, reading: ReadingSettings) -> str:
    """Give what follows the framing, such as `+tools+passage_tokens=512`; what is not set is left out.

    What the checkpoint declares is left out too: it is part of its fingerprint.
    """
    judged = {"reasoning": reading.reasoning, "tools": reading.tool_calls}
    numbers = {
        "passage_tokens": model.passage_tokens,
        "max_passages": model.max_passages,
        "message_turns": model.message_context_turns,
        "reply_turns": model.reply_context_turns,
        "max_input": model.max_input_tokens,
    }
    parts = [name for name, value in judged.items() if value == "judge"]
    parts += [f"{name}={value}" for name, value in numbers.items() if value is not None]
    return "".join(f"+{part}" for part in parts)
