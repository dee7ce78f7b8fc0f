"""Two processes on one CPU train as one."""

import torch

from backend_server.training.workers import Workers, joined


def _average(rank, folder):
    seen, unseen = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1))
    seen.grad = torch.tensor([1.0, 4.0]) if rank == 0 else torch.tensor([3.0, 0.0])
    if rank == 0:
        unseen.grad = torch.tensor([5.0])
    with joined("cpu") as workers:
        assert workers == Workers(rank, 2, rank) and workers.is_first == (rank == 0)
        workers.average_gradients([seen, unseen])
        decided = workers.of_first(0.25 if rank == 0 else 0.75, "cpu")
        mine = torch.full((1,), float(rank))
        workers.agree_on([mine])
        assert workers.device("cuda") == f"cuda:{rank}" and workers.device("cpu") == "cpu"
    torch.save(torch.cat([seen.grad, unseen.grad, torch.tensor([decided]), mine]), folder / f"{rank}.pt")


def test_gradients_are_averaged_and_the_first_decides(together, tmp_path):
    together(_average, tmp_path)
    for rank in (0, 1):
        assert torch.load(tmp_path / f"{rank}.pt", weights_only=True).tolist() == [2.0, 2.0, 2.5, 0.25, 0.0]


def test_one_process_is_left_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    parameter = torch.nn.Parameter(torch.zeros(1))
    parameter.grad = torch.tensor([3.0])
    with joined("cpu") as workers:
        workers.average_gradients([parameter])
        assert workers.is_first and parameter.grad.item() == 3.0
        assert workers.of_first(0.5, "cpu") == 0.5 and workers.device("cuda") == "cuda"
