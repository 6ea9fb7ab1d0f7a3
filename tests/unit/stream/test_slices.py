from moderator.stream.slices import in_slices


def test_threads_in_a_hurry_go_first_before_each_slice() -> None:
    given: list[int] = []
    given_before: list[int] = []

    for number in in_slices(range(5), 2, lambda: given_before.append(len(given))):
        given.append(number)  # noqa: PERF402 - what is seen meanwhile matters

    assert given_before == [0, 2, 4]
    assert given == [0, 1, 2, 3, 4]


def test_without_items_nobody_waits() -> None:
    assert list(in_slices([], 2, lambda: 1 / 0)) == []
