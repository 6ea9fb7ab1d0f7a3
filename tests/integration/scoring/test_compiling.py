"""Layers compiled by the real compiler's front end, which takes a second."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests import tiny_armorm
from tests.published_armorm import CHATS


def test_every_layer_is_compiled_the_trimmed_last_one_too(tmp_path: Path) -> None:
    folder = tiny_armorm.write_checkpoint(tmp_path, num_hidden_layers=4)
    graphs: list[list[str]] = []

    def keep(graph: torch.fx.GraphModule, _: object) -> Callable[..., Any]:
        graphs.append([str(node.target) for node in graph.graph.nodes])
        return graph.forward

    compiled = tiny_armorm.load(folder)
    compiled.compile()
    with torch.compiler.set_stance(force_backend=keep):
        together = compiled.score(CHATS)
        alone = compiled.score(CHATS[:1])

    plain = tiny_armorm.load(folder).score(CHATS)
    torch.testing.assert_close(together.rewards, plain.rewards, atol=1e-5, rtol=0)
    torch.testing.assert_close(alone.rewards, plain.rewards[:1], atol=1e-5, rtol=0)
    # one graph for all layers but the last, and one for that, whatever the shapes
    assert [sum("linear" in name for name in names) for names in graphs] == [7, 7]
    assert [sum("packed_attention" in name for name in names) for names in graphs] == [1, 1]
