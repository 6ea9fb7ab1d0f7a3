"""Who shares the next pass: interactive texts first, and half of it for the stream."""

from collections import deque

from moderator.scoring.packing import Read, Text
from moderator.scoring.pass_plan import PassPlan, PlannedPass

BUDGET = 100


def a_text(number: int, tokens: int = 10) -> Text:
    return Text((number,) * tokens, (Read(number, 0, tokens - 1),))


class Waiting:
    """Interactive texts that wait."""

    def __init__(self, *texts: Text, came_lately: bool = True) -> None:
        self.texts = deque(texts)
        self.came_lately = came_lately

    def take(self, most_tokens: int) -> list[Text]:
        taken: list[Text] = []
        while self.texts:
            if taken and sum(len(text.token_ids) for text in (*taken, self.texts[0])) > most_tokens:
                break
            taken.append(self.texts.popleft())
        return taken


def numbers(planned: PlannedPass | None) -> list[int]:
    assert planned is not None
    return [text.token_ids[0] for text in planned.texts]


def stream(count: int, tokens: int = 10) -> list[Text]:
    return [a_text(number, tokens) for number in range(count)]


def interactive(count: int, tokens: int = 10) -> list[Text]:
    return [a_text(1_000 + number, tokens) for number in range(count)]


def test_without_interactive_texts_passes_are_filled_in_order() -> None:
    plan = PassPlan(stream(25), None, is_padded=False)

    assert [numbers(plan.next(BUDGET)) for _ in range(3)] == [[*range(10)], [*range(10, 20)], [*range(20, 25)]]
    assert plan.next(BUDGET) is None


def test_interactive_texts_go_first_and_leave_the_stream_half_of_the_pass() -> None:
    plan = PassPlan(stream(20), Waiting(*interactive(8)), is_padded=False)

    first, second = plan.next(BUDGET), plan.next(BUDGET)

    assert numbers(first) == [1_000, 1_001, 1_002, 1_003, 1_004, 0, 1, 2, 3, 4]
    assert numbers(second) == [1_005, 1_006, 1_007, *range(5, 12)]


def test_they_have_a_whole_pass_when_nothing_of_the_stream_waits() -> None:
    plan = PassPlan([], Waiting(*interactive(12)), is_padded=False)

    assert [len(numbers(plan.next(BUDGET))), len(numbers(plan.next(BUDGET)))] == [10, 2]


def test_under_both_backlogs_the_stream_has_half_of_the_tokens() -> None:
    plan = PassPlan(stream(10_000, 7), Waiting(*interactive(10_000, 9)), is_padded=False)

    passes = [plan.next(1_024) for _ in range(100)]

    own = sum(planned.own_tokens for planned in passes if planned)
    assert 0.45 <= own / sum(planned.tokens for planned in passes if planned) <= 0.55


def test_a_text_longer_than_half_of_a_pass_is_the_first_of_its_pass() -> None:
    plan = PassPlan(stream(20), Waiting(a_text(1_000, 80)), is_padded=False)

    assert numbers(plan.next(BUDGET)) == [1_000, 0, 1]


def test_texts_that_leave_the_stream_no_room_take_turns_with_it() -> None:
    plan = PassPlan(stream(30), Waiting(*interactive(3, 100)), is_padded=False)

    passes = [numbers(plan.next(BUDGET)) for _ in range(5)]

    assert passes == [[1_000], [*range(10)], [1_001], [*range(10, 20)], [1_002]]


def test_the_streams_passes_are_short_while_interactive_texts_come_in() -> None:
    waiting = Waiting()
    plan = PassPlan(stream(30), waiting, is_padded=False)

    short = numbers(plan.next(BUDGET, lambda: 25))
    waiting.came_lately = False
    long = numbers(plan.next(BUDGET, lambda: 25))

    assert (short, long) == ([0, 1], [*range(2, 12)])


def test_a_short_pass_grows_with_the_interactive_texts_in_it_and_the_stream_gets_as_much() -> None:
    plan = PassPlan(stream(30), Waiting(*interactive(8)), is_padded=False)

    passes = [numbers(plan.next(BUDGET, lambda: 25)) for _ in range(3)]

    assert passes == [
        [1_000, 1_001, 1_002, 1_003, 1_004, 0, 1, 2, 3, 4],
        [1_005, 1_006, 1_007, 5, 6, 7],
        [8, 9],
    ]


def test_a_short_pass_holds_a_text_at_least() -> None:
    plan = PassPlan(stream(2, 50), Waiting(), is_padded=False)

    assert numbers(plan.next(BUDGET, lambda: 1)) == [0]


def test_passes_of_interactive_texts_alone_are_not_shortened() -> None:
    plan = PassPlan([], Waiting(*interactive(10)), is_padded=False)

    assert len(numbers(plan.next(BUDGET, lambda: 25))) == 10


def test_equal_texts_of_stream_and_requests_are_computed_once() -> None:
    same = a_text(1, 10)._replace(reads=(Read(7, 0, 9),))
    plan = PassPlan(stream(3), Waiting(same), is_padded=False)

    planned = plan.next(BUDGET)

    assert planned is not None
    assert numbers(planned) == [1, 0, 2]
    assert planned.texts[0].reads == (Read(7, 0, 9), Read(1, 0, 9))
    assert planned.own_tokens == 20


def test_what_did_not_fit_into_memory_is_planned_again_in_smaller_passes() -> None:
    plan = PassPlan(stream(6), Waiting(*interactive(4)), is_padded=False)
    planned = plan.next(BUDGET)
    assert planned is not None

    plan.put_back(planned)

    passes = [numbers(plan.next(50)) for _ in range(2)]
    assert passes == [[1_000, 1_001, 1_002, 1_003, 0], [*range(1, 6)]]
    assert plan.next(50) is None


def test_after_a_fault_each_interactive_text_is_alone_and_the_stream_without_them() -> None:
    plan = PassPlan(stream(2), Waiting(*interactive(2)), is_padded=False)
    planned = plan.next(BUDGET)
    assert planned is not None

    plan.isolate(planned)

    assert [numbers(plan.next(BUDGET)) for _ in range(3)] == [[1_000], [1_001], [0, 1]]


def test_padded_passes_count_every_text_as_long_as_the_longest() -> None:
    plan = PassPlan([a_text(0, 5), a_text(1, 40)], Waiting(*interactive(2, 20)), is_padded=True)

    assert [numbers(plan.next(BUDGET)), numbers(plan.next(BUDGET))] == [[1_000, 1_001, 0], [1]]
