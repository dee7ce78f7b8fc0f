import pytest
import torch

from backend_server.training import schedule
from backend_server.training.schedule import (
    Budget,
    Interval,
    falling_cosine,
    falling_from_the_middle,
    set_learning_rate,
    warmed_cosine,
)


@pytest.fixture
def clock(monkeypatch):
    """A time that tests set, in seconds."""
    now = [100.0]
    monkeypatch.setattr(schedule.time, "monotonic", lambda: now[0])
    return now


def test_learning_rates_by_hand():
    assert [falling_from_the_middle(done) for done in (0, 0.5, 0.75, 1)] == [1, 1, 0.5, 0]
    assert [falling_cosine(done) for done in (0, 2 / 3, 1)] == pytest.approx([1, 0.525, 0.05])
    assert [warmed_cosine(step, 100) for step in (0, 4)] == pytest.approx([1 / 6, 5 / 6])
    assert [warmed_cosine(step, 200) for step in (10, 105, 200)] == pytest.approx([1, 0.5, 0])


def test_a_rate_becomes_that_of_all_parameters():
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(3)]
    optimisers = torch.optim.Adam([{"params": weights[:1]}, {"params": weights[1:2]}]), torch.optim.SGD(weights[2:])
    set_learning_rate(0.25, *optimisers)
    assert [group["lr"] for optimiser in optimisers for group in optimiser.param_groups] == [0.25] * 3


def test_a_budget_ends_with_what_is_spent_first(clock):
    updates, minutes, both = Budget(8, None), Budget(None, 2), Budget(8, 2, seconds=60.0)
    clock[0] += 30
    assert updates.share(2) == 0.25
    assert minutes.share(1000) == 0.25
    assert both.seconds == 90
    assert both.share(2) == 0.75
    assert both.share(8) == 1
    assert Budget(None, None).share(10**9) == 0


def test_an_interval_is_over_until_it_is_restarted(clock):
    interval = Interval(10)
    assert not interval.is_over
    clock[0] += 11
    assert interval.is_over
    interval.restart()
    assert not interval.is_over
