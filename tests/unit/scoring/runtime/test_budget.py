from moderator.scoring.runtime.budget import TokenBudget


def test_a_budget_is_halved_by_the_pack_that_did_not_fit() -> None:
    budget = TokenBudget(8192)

    budget.halve(5000)

    assert budget.tokens == 2500


def test_a_budget_never_grows_by_running_short() -> None:
    budget = TokenBudget(1024)
    budget.halve(1000)

    budget.halve(4000)  # one that was made before

    assert budget.tokens == 500


def test_a_budget_recovers_slowly_and_never_beyond_what_it_was() -> None:
    budget = TokenBudget(1024)
    budget.halve(1024)

    seen = []
    for _ in range(64 * 5):
        budget.count_fit()
        seen.append(budget.tokens)

    assert seen == [512] * 63 + [640] * 64 + [768] * 64 + [896] * 64 + [1024] * 65


def test_running_short_again_restarts_the_count() -> None:
    budget = TokenBudget(1024)
    budget.halve(1024)
    for _ in range(63):
        budget.count_fit()

    budget.halve(512)
    budget.count_fit()

    assert budget.tokens == 256


def test_a_budget_is_at_least_a_token() -> None:
    budget = TokenBudget(1024)

    budget.halve(1)

    assert budget.tokens == 1
