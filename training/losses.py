"""Losses per head; each looks at the examples that label it and at nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.data.examples import Example

Logits = Mapping[str, Tensor]


def head_losses(
    model_heads: nn.ModuleDict,
    auxiliary: nn.ModuleDict,
    features: Tensor,
    examples: Sequence[Example],
    smoothing: float,
) -> dict[str, Tensor]:
    """Return the mean loss of each head that any example labels; features (batch, 2 * hidden)."""
    losses: dict[str, Tensor] = {}
    for name, loss in _LOSSES.items():
        if name not in model_heads:
            continue
        rows = [i for i, example in enumerate(examples) if getattr(example, name) is not None]
        if rows:
            logits = model_heads[name](features[rows])
            losses[name] = loss(logits, [examples[i] for i in rows], smoothing) * (len(rows) / len(examples))
    for name, head in auxiliary.items():
        rows = [i for i, example in enumerate(examples) if name in example.auxiliary]
        if rows:
            target = torch.tensor([examples[i].auxiliary[name] for i in rows])
            losses[f"auxiliary.{name}"] = F.cross_entropy(head(features[rows]), target) * (len(rows) / len(examples))
    return losses


def intent_loss(logits: Tensor, examples: Sequence[Example], smoothing: float) -> Tensor:
    """Cross-entropy to the target shares, smoothed."""
    target = torch.zeros_like(logits)
    for row, example in enumerate(examples):
        for index, share in (example.intent or {}).items():
            target[row, index] = share
    return F.cross_entropy(logits, target, label_smoothing=smoothing)


def sentiment_loss(logits: Tensor, examples: Sequence[Example], smoothing: float) -> Tensor:
    """Minus log of the mass on the steps that agree with the label, plus a small ordinal term for exact labels."""
    log_p = F.log_softmax(logits, dim=-1)
    allowed = torch.full_like(logits, float("-inf"))
    exact, steps = [], []
    for row, example in enumerate(examples):
        assert example.sentiment is not None
        allowed[row, list(example.sentiment)] = 0.0
        if len(example.sentiment) == 1:
            exact.append(row)
            steps.append(example.sentiment[0])
    loss = -torch.logsumexp(log_p + allowed, dim=-1).mean()
    loss = loss - smoothing * log_p.mean()
    if exact:
        scale = torch.arange(logits.shape[-1], dtype=logits.dtype)
        expected = (log_p[exact].exp() * scale).sum(-1)
        loss = loss + 0.1 * F.smooth_l1_loss(expected, torch.tensor(steps, dtype=logits.dtype))
    return loss


def class_loss(name: str) -> LossFunction:
    def loss(logits: Tensor, examples: Sequence[Example], smoothing: float) -> Tensor:
        target = torch.tensor([getattr(example, name) for example in examples])
        return F.cross_entropy(logits, target, label_smoothing=smoothing)

    return loss


def flags_loss(logits: Tensor, examples: Sequence[Example], smoothing: float) -> Tensor:
    """Binary cross-entropy summed over flags; a set flag weighs more, as few messages carry one."""
    target = torch.zeros_like(logits)
    for row, example in enumerate(examples):
        target[row, list(example.flags or ())] = 1.0
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").mul(1 + 2 * target).sum(-1).mean()


def scope_loss(logits: Tensor, examples: Sequence[Example], smoothing: float) -> Tensor:
    target = torch.tensor([[float(example.scope or 0)] for example in examples])
    return F.binary_cross_entropy_with_logits(logits, target)


class LossFunction:  # documented shape of the functions below: (logits, examples, smoothing) -> scalar
    def __call__(self, logits: Tensor, examples: Sequence[Example], smoothing: float) -> Tensor:
        raise NotImplementedError


_LOSSES = {
    "intent": intent_loss,
    "sentiment": sentiment_loss,
    "emotion": class_loss("emotion"),
    "flags": flags_loss,
    "priority": class_loss("priority"),
    "scope": scope_loss,
}
WEIGHTS = {"intent": 1.6, "sentiment": 0.7, "emotion": 0.7, "flags": 0.6, "priority": 0.7, "scope": 0.4}
AUXILIARY_WEIGHT = 0.4


def total(losses: Mapping[str, Tensor]) -> Tensor:
    """Weighted sum; what is not named is an auxiliary head."""
    return torch.stack([loss * WEIGHTS.get(name, AUXILIARY_WEIGHT) for name, loss in losses.items()]).sum()
