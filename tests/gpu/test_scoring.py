"""What only a CUDA device runs: flash attention over packed texts, and the warm-up."""

from pathlib import Path

import pytest
import torch

from moderator.events import Scores, Turn
from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.engine import Engine
from moderator.scoring.packing import Layout
from moderator.scoring.runtime.attention import packed_attention
from tests.builders import prompts_of
from tests.models import tiny_armorm

pytestmark = pytest.mark.gpu

CONVERSATIONS = [[Turn("user", f"question {number}"), Turn("assistant", "word " * number)] for number in range(40)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sizes = {"hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4, "num_key_value_heads": 2}
    return tiny_armorm.write_checkpoint(tmp_path_factory.mktemp("gpu"), **sizes)


def overall(armorm: ArmoRM) -> torch.Tensor:
    engine = Engine(armorm)
    results = engine.score(prompts_of(engine, CONVERSATIONS))
    return torch.tensor([result.overall for result in results if isinstance(result, Scores)])


@pytest.mark.parametrize("key_heads", [8, 2, 1])
def test_packed_flash_attention_is_attention_within_each_text(key_heads: int) -> None:
    torch.manual_seed(1)
    query, key, value = (torch.randn(60, heads, 64, dtype=torch.bfloat16) for heads in (8, key_heads, key_heads))
    ends = torch.tensor([0, 7, 8, 60], dtype=torch.int32)

    on_cuda = packed_attention(query.cuda(), key.cuda(), value.cuda(), ends.cuda(), 52, 0.125).cpu()

    on_cpu = packed_attention(query.float(), key.float(), value.float(), ends, 52, 0.125)
    torch.testing.assert_close(on_cuda.float(), on_cpu, atol=2e-2, rtol=0)


def test_float32_scores_on_cuda_are_those_of_the_cpu(folder: Path) -> None:
    on_cuda = ArmoRM.from_pretrained(folder, device="cuda", dtype="float32")

    torch.testing.assert_close(overall(on_cuda), overall(tiny_armorm.load(folder)), atol=1e-3, rtol=0)


def test_bfloat16_scores_on_cuda_are_those_of_the_cpu_in_bfloat16(folder: Path) -> None:
    on_cuda = ArmoRM.from_pretrained(folder, device="cuda", dtype="bfloat16")

    on_cpu = tiny_armorm.load(folder, dtype="bfloat16")
    torch.testing.assert_close(overall(on_cuda), overall(on_cpu), atol=0.1, rtol=0.1)


def test_compiled_scores_are_those_of_the_layers_as_they_are(folder: Path) -> None:
    plain, compiled = (ArmoRM.from_pretrained(folder, device="cuda", dtype="bfloat16") for _ in range(2))
    compiled.compile()

    torch.testing.assert_close(overall(compiled), overall(plain), atol=0.1, rtol=0.1)


def test_a_model_on_cuda_warms_up_and_has_little_noise(folder: Path) -> None:
    armorm = ArmoRM.from_pretrained(folder, device="cuda", dtype="bfloat16")
    armorm.compile()
    engine = Engine(armorm)

    engine.warm_up()

    assert all(0 <= noise < 0.1 for noise in engine.measure_noise())


def test_deterministic_scores_on_cuda_do_not_depend_on_neighbours_by_a_bit(folder: Path) -> None:
    engine = Engine(ArmoRM.from_pretrained(folder, device="cuda", dtype="bfloat16"), is_deterministic=True)
    prompts = prompts_of(engine, CONVERSATIONS)

    together = engine.score(prompts)

    assert together == engine.score(prompts[::-1])[::-1]
    assert together == [engine.score([prompt])[0] for prompt in prompts]


def test_padded_scores_on_cuda_are_the_packed_ones(folder: Path) -> None:
    packed, padded = (ArmoRM.from_pretrained(folder, device="cuda", dtype="float32") for _ in range(2))
    padded.layout = Layout(is_padded=True)

    torch.testing.assert_close(overall(padded), overall(packed), atol=1e-3, rtol=0)


def test_scoring_goes_on_in_smaller_packs_when_memory_runs_short(folder: Path) -> None:
    engine = Engine(ArmoRM.from_pretrained(folder, device="cuda", dtype="float32"), 65_536)
    prompts = prompts_of(engine, [[Turn("user", f"q {at}"), Turn("assistant", "word " * 60)] for at in range(400)])
    engine.score(prompts[:1])  # what libraries keep for themselves is there before the limit is
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    # a full pack takes several times as much in addition to the weights
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 2**27) / total)
    try:
        results = engine.score(prompts)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)

    assert all(isinstance(result, Scores) for result in results)
    assert engine._runner.budget.tokens < 65_536
