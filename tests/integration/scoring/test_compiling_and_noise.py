"""What needs the real compiler's front end, which takes seconds to import, and noise as it is measured."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from moderator.errors import ConfigurationError
from moderator.events import Turn
from moderator.scoring.engine import Engine
from moderator.scoring.opening import open_model
from moderator.scoring.runtime.attention import packed_attention
from tests.integration.scoring.classifiers import load_classifier, rewards
from tests.models import tiny_armorm, tiny_classifiers
from tests.models.published_armorm import CHATS


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


@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.long)])
def test_layers_with_capped_attention_are_compiled_and_score_as_before(tmp_path: Path, backend: str) -> None:
    folder = tiny_classifiers.write_classifier(tmp_path / "gemma2", "gemma2")
    conversations = [[Turn("user", "word " * length)] for length in (1, 3, 7)]
    compiled = open_model(folder).load("float32", torch.device("cpu"))
    compiled.compile()

    with torch.compiler.set_stance(force_backend=backend):
        together = rewards(Engine(compiled), conversations)

    assert compiled.is_compiled
    plain = rewards(load_classifier(folder), conversations)
    torch.testing.assert_close(torch.tensor(together), torch.tensor(plain), atol=1e-5, rtol=0)
    assert len({round(one, 3) for (one,) in plain}) == len(plain)


def test_layers_that_cannot_be_compiled_are_a_matter_of_configuration(tmp_path: Path) -> None:
    def fail(*_: object) -> Callable[..., Any]:
        raise RuntimeError("Failed to find C compiler. Please specify via CC environment variable.")

    armorm = tiny_armorm.load(tiny_armorm.write_checkpoint(tmp_path / "Tiny-ArmoRM"))
    armorm.compile()

    with (
        torch.compiler.set_stance(force_backend=fail),
        pytest.raises(
            ConfigurationError,
            match=r"`Tiny-ArmoRM` cannot be compiled for `cpu`: Failed to find C compiler\. Please .*; install .*"
            r"`--no-compile`, or `MODERATOR_MODEL__COMPILE=false`$",
        ),
    ):
        Engine(armorm).warm_up()


def test_the_op_keeps_the_rules_of_custom_ops() -> None:
    query, key, value = (torch.randn(15, heads, 8) for heads in (4, 2, 2))
    arguments = (query, key, value, torch.tensor([0, 5, 6, 15], dtype=torch.int32), 9, 0.3)

    torch.library.opcheck(packed_attention, arguments, test_utils=("test_schema", "test_faketensor"))


def test_noise_is_small_and_in_deterministic_mode_none(tmp_path: Path) -> None:
    armorm = tiny_armorm.load(tiny_armorm.write_checkpoint(tmp_path))
    ordinary, deterministic = Engine(armorm, 512), Engine(armorm, 512, is_deterministic=True)

    noise, none = ordinary.measure_noise(), deterministic.measure_noise()

    assert len(noise) == len(armorm.objectives)
    assert 0 < max(noise) < 1e-5
    assert none == (0.0,) * len(armorm.objectives)
