"""The network in training gives the hidden states that the served model gives."""

from itertools import accumulate

import numpy as np
import pytest
import torch

from moderator.scoring.armorm.network import ArmoRMNetwork
from moderator.scoring.checkpoint.configs.armorm import ArmoRMConfig
from moderator.training.fitting.training_network import TrainingNetwork, small_backbone
from moderator.training.text.batches import Batch, pad, read_in_order, shuffled_groups

_LENGTHS = [9, 1, 30, 14, 30, 3]


def _sequences() -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [random.integers(100, size=length).astype(np.int32) for length in _LENGTHS]


def test_padded_training_and_packed_serving_read_the_same_rewards() -> None:
    torch.manual_seed(1)
    network = TrainingNetwork(small_backbone(100, hidden=64)).eval()
    served = ArmoRMNetwork(ArmoRMConfig(small_backbone(100, hidden=64), ("a", "b"), gating_hidden_dim=8))
    served.model.load_state_dict(network.backbone.state_dict())
    served.regression_layer.load_state_dict(network.rewards.state_dict())
    sequences = _sequences()

    padded = read_in_order(sequences, lambda batch: network.rewards(network.last_hidden(batch)), budget=64)
    packed = _packed_rewards(served, sequences)

    torch.testing.assert_close(packed, padded, atol=1e-5, rtol=0)
    assert packed.std() > 0.05  # far beyond the tolerance, so equality says something


def _packed_rewards(served: ArmoRMNetwork, sequences: list[np.ndarray]) -> torch.Tensor:
    ends = torch.tensor([0, *accumulate(_LENGTHS)], dtype=torch.int32)
    with torch.inference_mode():
        return served.forward_packed(
            torch.from_numpy(np.concatenate(sequences)).long(),
            torch.cat([torch.arange(length) for length in _LENGTHS]),
            ends,
            ends[1:] - 1,
            ends[1:] - 1,
            max_len=max(_LENGTHS),
        ).rewards


def test_padding_changes_nothing() -> None:
    network = TrainingNetwork(small_backbone(100, hidden=64)).eval()
    sequences = _sequences()

    together = network.last_hidden(pad(sequences, range(len(sequences))))

    for ids, hidden in zip(sequences, together, strict=True):
        torch.testing.assert_close(network.last_hidden(pad([ids], [0]))[0], hidden, atol=1e-5, rtol=0)


@pytest.mark.long  # compiles for a minute
def test_a_compiled_backbone_gives_the_same_states_and_gradients() -> None:
    torch.manual_seed(1)
    network = TrainingNetwork(small_backbone(100, hidden=64)).eval()
    batch = pad(_sequences(), range(len(_LENGTHS)))
    plain, plain_gradient = _states_and_gradient(network, batch)

    network.compile_backbone()
    compiled, gradient = _states_and_gradient(network, batch)

    torch.testing.assert_close(compiled, plain, atol=1e-5, rtol=0)
    torch.testing.assert_close(gradient, plain_gradient, atol=1e-4, rtol=1e-4)


def _states_and_gradient(network: TrainingNetwork, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    network.zero_grad()
    states = network.last_hidden(batch)
    states.square().sum().backward()  # type: ignore[no-untyped-call]
    gradient = network.backbone.embed_tokens.weight.grad
    assert gradient is not None
    return states.detach(), gradient


def test_every_sequence_is_in_one_group_within_the_budget() -> None:
    lengths = [int(length) for length in np.random.default_rng(1).integers(1, 60, size=500)]

    groups = shuffled_groups(lengths, 256, np.random.default_rng(2))

    assert sorted(member for group in groups for member in group) == list(range(500))
    assert all(max(lengths[member] for member in group) * len(group) <= 256 for group in groups)
