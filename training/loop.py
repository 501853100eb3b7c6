"""What every run shares: optimiser groups, schedule, averaged weights, checkpoints, progress."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

log = logging.getLogger(__name__)

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - gradients of one machine's processes, no secret


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Learning rates: the encoder's top layer, its decay per layer below, and everything new."""

    encoder: float
    heads: float
    decay: float = 1.0
    weight_decay: float = 0.01


def seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def optimiser(model: nn.Module, rates: Rates) -> torch.optim.AdamW:
    """AdamW with layer-wise rates; vectors and norms are not decayed."""
    layers = (
        max(
            (
                int(name.split("encoder.layers.")[1].split(".")[0])
                for name, _ in model.named_parameters()
                if "encoder.layers." in name
            ),
            default=-1,
        )
        + 1
    )
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if name.startswith("encoder."):
            depth = int(name.split("layers.")[1].split(".")[0]) + 1 if "layers." in name else 0
            rate = rates.encoder * rates.decay ** (layers - depth)
        else:
            rate = rates.heads
        groups.setdefault((rate, rates.weight_decay if parameter.dim() > 1 else 0.0), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "base": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ],
        betas=(0.9, 0.98),
        eps=1e-6,
        fused=True,
    )


def set_rate(opt: torch.optim.Optimizer, step: int, steps: int, warmup: float = 0.06) -> None:
    """Linear warm-up, then linear to 2% of the peak."""
    ramp = max(1, int(warmup * steps))
    factor = (step + 1) / ramp if step < ramp else max(0.02, (steps - step) / max(1, steps - ramp))
    for group in opt.param_groups:
        group["lr"] = group["base"] * factor


class Average:
    """Exponential moving average of the trainable weights."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
        self.count = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.count += 1
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        for name, parameter in model.named_parameters():
            if name in self.values:
                self.values[name].lerp_(parameter, 1 - decay)

    def copy_to(self, model: nn.Module) -> None:
        model.load_state_dict(self.values, strict=False)


class Workers:
    """Data-parallel processes of one thread each: cheaper on shared cores than threads that wait at every product.

    Started by ``python -m torch.distributed.run --nproc-per-node N -m training ...``; alone, nothing changes.
    """

    def __init__(self) -> None:
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self.slots: list[torch.Tensor] = []
        self.turn = 0
        if self.count > 1 and not dist.is_initialized():
            torch.set_num_threads(1)
            os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[self.rank % os.cpu_count()]})  # type: ignore[operator]
            dist.init_process_group("gloo", timeout=timedelta(hours=2))

    @property
    def first(self) -> bool:
        return self.rank == 0

    def mine(self, batches: Sequence[list[int]]) -> list[list[int]]:
        """Every ``count``-th batch; all processes get equally many. Neighbours should be of equal cost."""
        whole = len(batches) // self.count * self.count
        return list(batches[self.rank : whole : self.count])

    def average_gradients(self, model: nn.Module) -> None:
        """Leave the mean gradient of all processes in each; a head without a gradient counts as zero.

        Gradients meet in shared memory: the processes are on one machine, and a socket costs a third of a step.
        Two buffers take turns, so that one barrier a step is enough.
        """
        if self.count == 1:
            return
        parameters = [p for p in model.parameters() if p.requires_grad]
        sizes = [p.numel() for p in parameters]
        if not self.slots:
            port = os.environ.get("MASTER_PORT", "0")
            self.slots = [
                torch.from_file(
                    f"{SHARED_MEMORY}/training-{port}-{turn}", shared=True, size=self.count * sum(sizes)
                ).view(self.count, -1)
                for turn in range(2)
            ]
        slots = self.slots[self.turn]
        self.turn = 1 - self.turn
        for parameter, part in zip(parameters, slots[self.rank].split(sizes), strict=True):
            part.view_as(parameter).copy_(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)
        dist.barrier()
        mean = slots.mean(0)
        for parameter, part in zip(parameters, mean.split(sizes), strict=True):
            parameter.grad = part.view_as(parameter)

    def fill(self, rows: torch.Tensor) -> torch.Tensor:
        """Take the rows (n, size) that other processes computed; a row that none has stays NaN."""
        if self.count == 1:
            return rows
        known = ~torch.isnan(rows[:, :1])
        counts = known.float()
        total = torch.nan_to_num(rows)
        dist.all_reduce(counts)
        dist.all_reduce(total)
        return torch.where(counts > 0, total / counts.clamp(min=1), torch.full_like(total, float("nan")))

    def wait(self) -> None:
        if self.count > 1:
            dist.barrier()


class Progress:
    """Loss and time left, one log line every ``every`` seconds."""

    def __init__(self, steps: int, every: float = 20.0, start: int = 0) -> None:
        self.steps, self.every, self.start = steps, every, start
        self.began = self.last = time.monotonic()
        self.sums: dict[str, list[float]] = {}

    def note(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.sums.setdefault(name, []).append(value)
        now = time.monotonic()
        if now - self.last >= self.every or step + 1 == self.steps:
            left = (now - self.began) / (step + 1 - self.start) * (self.steps - step - 1)
            shown = " ".join(f"{name}={sum(v) / len(v):.3f}" for name, v in sorted(self.sums.items()))
            log.info("step %d/%d, %.0f s left: %s", step + 1, self.steps, left, shown)
            self.last, self.sums = now, {}


def save_checkpoint(path: Path, **state: object) -> None:
    """Write beside and rename: a kill leaves the last whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def load_checkpoint(path: Path) -> dict[str, object] | None:
    return torch.load(path, weights_only=True) if path.is_file() else None
