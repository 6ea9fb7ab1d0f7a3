import math
from collections.abc import Sequence

from moderator.events import Prompt, Turn
from moderator.scoring.runtime.noise import measure_noise

PROBES = 48
PROBE_TOKENS = 30


def render(conversations: Sequence[Sequence[Turn]]) -> list[Prompt]:
    return [Prompt((at,) * PROBE_TOKENS, 0, truncated=False, score_key="") for at in range(len(conversations))]


def test_noise_is_how_far_rewards_in_a_pack_differ_from_those_alone() -> None:
    def rewards(prompts: Sequence[Prompt]) -> list[tuple[float, float]]:
        off = 0.25 if len(prompts) > 1 else 0.0
        return [(prompt.token_ids[0] + off, 1.0) for prompt in prompts]

    assert measure_noise(render, rewards, 1024) == (0.25, 0.0)


def test_conversations_are_packed_with_their_own_prefixes() -> None:
    conversations: list[Sequence[Turn]] = []
    shared = 0

    def keep(given: Sequence[Sequence[Turn]]) -> list[Prompt]:
        conversations.extend(given)
        return render(given)

    def rewards(prompts: Sequence[Prompt]) -> list[tuple[float]]:
        nonlocal shared
        turns = [conversations[prompt.token_ids[0]] for prompt in prompts]
        shared += sum(each != longer and longer[: len(each)] == each for each in turns for longer in turns)
        return [(0.0,)] * len(prompts)

    measure_noise(keep, rewards, 1024)

    assert shared > 50


def test_noise_is_what_all_but_one_in_a_thousand_differences_keep_within() -> None:
    differences: list[float] = []

    def rewards(prompts: Sequence[Prompt]) -> list[tuple[float]]:
        off = (len(prompts) - 1) / 1024
        differences.extend([off] * len(prompts))
        return [(off,)] * len(prompts)

    [noise] = measure_noise(render, rewards, 1024)

    in_packs = sorted(differences[PROBES:])
    assert noise == in_packs[math.ceil(0.999 * len(in_packs)) - 1]
    assert noise > in_packs[len(in_packs) // 2]


def test_packs_of_many_sizes_are_tried_the_same_each_time() -> None:
    sizes: list[int] = []

    def rewards(prompts: Sequence[Prompt]) -> list[tuple[float]]:
        sizes.append(len(prompts))
        return [(0.0,)] * len(prompts)

    measure_noise(render, rewards, 1024)
    first, sizes = sizes, []
    measure_noise(render, rewards, 1024)

    assert sizes == first
    assert len(set(first)) > 8
    assert max(first) * PROBE_TOKENS <= 1024
