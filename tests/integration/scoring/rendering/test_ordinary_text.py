"""Text that hides nothing has the token ids that it had before invisible characters were removed."""

import hashlib
from array import array
from collections.abc import Callable, Sequence

import pytest

from moderator.demo.samples import sample_events
from moderator.scoring.armorm.armorm import open_armorm
from moderator.scoring.checkpoint.location import locate
from moderator.scoring.rendering.messages import MessageRenderer
from moderator.scoring.rendering.renderer import Renderer, Rendering
from moderator.scoring.rendering.templates.rendering import TemplateRenderer
from tests.models.tiny_tokenizers import tokenizer_of

CONVERSATIONS = [sample.event.conversation for sample in sample_events() if sample.event]

BY_REPLY_2 = "96f21406197862a954e42f43e074015955c3e2f68aaed33b83c5c8e65eb70727"
BY_TEMPLATE_1 = "3184e2b90468e3fbc6e189ecf78d4901d6d66ff0187b4b259e8f09a35a3d6df0"
BY_MESSAGE_1 = "b3babfffbaac61e7b2ff40d7cc6b41e2ae04a8717c3f0c08d5695ebf4d0448e3"
"""What `reply/1` and `message/1` gave for the sample events; `reply/2` where the tokenizer is newer."""


def hash_of(renderings: Sequence[Rendering]) -> str:
    ids = b"".join(array("I", rendering.token_ids).tobytes() + b"|" for rendering in renderings)
    return hashlib.sha256(ids).hexdigest()


@pytest.mark.parametrize(
    ("renderer", "before"),
    [
        (lambda: open_armorm(locate("builtin")).renderer, BY_REPLY_2),
        (lambda: TemplateRenderer(tokenizer_of("qwen2"), 2_000), BY_TEMPLATE_1),
        (lambda: MessageRenderer(tokenizer_of("roberta"), 400), BY_MESSAGE_1),
    ],
    ids=["llama3", "template", "message"],
)
def test_the_sample_events_keep_their_token_ids(renderer: Callable[[], Renderer], before: str) -> None:
    assert hash_of(renderer().render(CONVERSATIONS)) == before
