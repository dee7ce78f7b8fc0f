"""Lets several processes of `torchrun` train one network together.

Each has its own device and draws its own samples; gradients are averaged before every step, so all of them keep
the same weights. The first one writes the files.

PyTorch's DistributedDataParallel averages only what `backward` leaves behind; the outer gradient of meta-learning
(Fig. 3) is summed by hand, so here averaging is a separate step.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Workers:
    """The processes of one training run, seen from one of them.

    Attributes:
        rank: number of this process.
        count: of all.
        local_rank: number of this process on its machine, and of its GPU.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def device(self, device: str) -> str:
        """This process's own device: "cuda" means the GPU of its number where there are several processes."""
        return f"cuda:{self.local_rank}" if device == "cuda" and self.count > 1 else device

    @torch.no_grad()
    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gives every process the mean of all gradients; missing ones count as zeros."""
        if self.count == 1:
            return
        parameters = [p for p in parameters if p.requires_grad]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.count
        for parameter, mean in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            parameter.grad = mean.view_as(parameter).clone()

    @torch.no_grad()
    def agree_on(self, tensors: Iterable[Tensor]) -> None:
        """Overwrites tensors with those of the first process."""
        if self.count > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def of_first(self, number: float, device: str) -> float:
        """The first process's number, for example when it decides whether time is up."""
        value = torch.tensor(number, dtype=torch.float32, device=device)
        self.agree_on([value])
        return float(value) if self.count > 1 else number


ALONE = Workers()


@contextmanager
def joined(device: str) -> Iterator[Workers]:
    """Joins the processes that `torchrun` started; alone when it did not.

    Args:
        device: "cpu" or "cuda": how gradients travel.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield ALONE
        return
    workers = Workers(int(os.environ["RANK"]), count, int(os.environ.get("LOCAL_RANK", "0")))
    if device.startswith("cuda"):
        torch.cuda.set_device(workers.local_rank)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield workers
    finally:
        dist.destroy_process_group()
