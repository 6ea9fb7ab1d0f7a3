"""Text that hides nothing has the token ids that it had before invisible characters were removed."""

import hashlib
from array import array
from collections.abc import Sequence

import pytest

from moderator.demo.samples import sample_events
from moderator.scoring.armorm.armorm import open_armorm
from moderator.scoring.checkpoint.location import locate
from moderator.scoring.rendering.messages import MessageRenderer
from moderator.scoring.rendering.renderer import Renderer, Rendering
from moderator.scoring.rendering.templates.rendering import TemplateRenderer
from tests.models.tiny_tokenizers import tokenizer_of

CONVERSATIONS = [sample.event.conversation for sample in sample_events() if sample.event]

BY_REPLY_2 = "8b297ef0637c8f8e5f65e12528116cf8d8a38cbab8ce9ec818a68710af4f33c3"
BY_TEMPLATE_1 = "3f6ff40c9f99636d94a425d0c70a0a0cf2bf5674a3cc5ff0095aa3e045a5d328"
BY_MESSAGE_1 = "8672526e70645bf903e0f535c4e4f96025de57205b3137de1d8be69f62a39072"
"""What `reply/1` and `message/1` gave for the sample events; `reply/2` where the tokenizer is newer."""


def hash_of(renderings: Sequence[Rendering]) -> str:
    ids = b"".join(array("I", rendering.token_ids).tobytes() + b"|" for rendering in renderings)
    return hashlib.sha256(ids).hexdigest()


@pytest.mark.parametrize(
    ("renderer", "before"),
    [
        (open_armorm(locate("builtin")).renderer, BY_REPLY_2),
        (TemplateRenderer(tokenizer_of("qwen2"), 2_000), BY_TEMPLATE_1),
        (MessageRenderer(tokenizer_of("roberta"), 400), BY_MESSAGE_1),
    ],
    ids=["llama3", "template", "message"],
)
def test_the_sample_events_keep_their_token_ids(renderer: Renderer, before: str) -> None:
    assert hash_of(renderer.render(CONVERSATIONS)) == before
