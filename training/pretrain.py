"""Domain-adaptive pre-training: masked words of real service text, while every labelled set teaches its own head."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.data.batches import PAD, Batch, Tokens, collate, plan
from training.data.examples import Example
from training.loop import (
    Progress,
    Rates,
    Workers,
    load_checkpoint,
    optimiser,
    save_checkpoint,
    seed_everything,
    set_rate,
)
from training.losses import head_losses, total
from training.model import MultiTask

log = logging.getLogger(__name__)

NEGATIVES = 6000


@dataclass(frozen=True, kw_only=True)
class PretrainSettings:
    """How long and how hard to pre-train."""

    epochs: int = 1
    budget: int = 3072  # padded tokens a step
    rates: Rates
    mask_share: float = 0.15
    seed: int = 13
    checkpoint_seconds: float = 120.0
    label_weight: float = 1.0


class MaskedWords(nn.Module):
    """Predict masked pieces among ``candidates``, the pieces that the text uses; the frozen table is the decoder."""

    def __init__(self, table: Tensor, candidates: Tensor, hidden: int) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.bias = nn.Parameter(torch.zeros(len(candidates)))
        self.scale = nn.Parameter(torch.tensor(1.0))
        decoder = table[candidates]
        self.register_buffer("decoder", decoder / decoder.norm(dim=-1).mean(), persistent=False)

    def forward(self, states: Tensor, sample: Tensor) -> Tensor:
        """States (masked, hidden) -> logits (masked, sample) of the candidates numbered ``sample``."""
        return F.linear(self.norm(F.gelu(self.dense(states))) * self.scale, self.decoder[sample]) + self.bias[sample]


def mask_words(
    batch: Batch, share: float, mask_id: int, candidates: Tensor, generator: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return (corrupted ids, positions bool): 80% of the chosen become the mask, 10% a random piece, 10% stay."""
    ids = batch.input_ids.clone()
    eligible = (ids > 3) & (ids != PAD)
    chosen = torch.from_numpy(generator.random(ids.shape) < share) & eligible
    how = torch.from_numpy(generator.random(ids.shape))
    ids[chosen & (how < 0.8)] = mask_id
    swap = chosen & (how >= 0.8) & (how < 0.9)
    ids[swap] = candidates[torch.from_numpy(generator.integers(0, len(candidates), int(swap.sum())))]
    return ids, chosen


def pretrain(
    model: MultiTask,
    examples: Sequence[Example],
    tokens: Sequence[Tokens],
    mask_id: int,
    folder: Path,
    settings: PretrainSettings,
) -> None:
    """Train ``model`` in place and leave ``pretrained.pt`` in ``folder``; resumes from its checkpoint."""
    seed_everything(settings.seed)
    workers = Workers()
    candidates = torch.tensor(sorted({i for item in tokens for i in item.ids if i > 3}))
    lookup = torch.zeros(model.encoder.shape.vocabulary, dtype=torch.long)
    lookup[candidates] = torch.arange(len(candidates))
    words = MaskedWords(model.encoder.table, candidates, model.encoder.shape.hidden)
    both = nn.ModuleDict({"m": model, "w": words})
    opt = optimiser_of(model, words, settings.rates)
    rng = random.Random(settings.seed)
    batches: list[list[int]] = []
    for _ in range(settings.epochs):
        order = list(range(len(examples)))
        rng.shuffle(order)
        batches += plan(tokens, order, settings.budget // workers.count, rng)
    batches = workers.mine(batches)
    start, state = 0, load_checkpoint(folder / "pretrain.ckpt")
    if state is not None:
        both.load_state_dict(state["model"], strict=False)  # type: ignore[arg-type]
        opt.load_state_dict(state["optimiser"])  # type: ignore[arg-type]
        start = int(state["step"])  # type: ignore[call-overload]
    log.info(
        "pre-training on %d examples, %d steps, %d candidate pieces, from step %d",
        len(examples),
        len(batches),
        len(candidates),
        start,
    )
    progress, saved = Progress(len(batches), start=start), time.monotonic()
    model.train()
    for step in range(start, len(batches)):
        set_rate(opt, step, len(batches))
        batch = collate(tokens, batches[step])
        generator = np.random.default_rng((settings.seed, step, workers.rank))
        ids, chosen = mask_words(batch, settings.mask_share, mask_id, candidates, generator)
        loss, values = _losses(
            model, words, batch, ids, chosen, lookup, [examples[i] for i in batch.index], settings.label_weight
        )
        loss.backward()
        workers.average_gradients(both)
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        progress.note(step, values)
        if workers.first and time.monotonic() - saved > settings.checkpoint_seconds:
            save_checkpoint(
                folder / "pretrain.ckpt", model=both.state_dict(), optimiser=opt.state_dict(), step=step + 1
            )
            saved = time.monotonic()
    if workers.first:
        save_checkpoint(folder / "pretrained.pt", model=model.state_dict())
    workers.wait()


def _losses(
    model: MultiTask,
    words: MaskedWords,
    batch: Batch,
    ids: Tensor,
    chosen: Tensor,
    lookup: Tensor,
    examples: Sequence[Example],
    label_weight: float,
) -> tuple[Tensor, dict[str, float]]:
    # A sampled softmax: the targets of the batch against a random part of the candidates.
    targets = lookup[batch.input_ids[chosen]]
    sample = torch.unique(torch.cat([targets, torch.randint(len(words.bias), (NEGATIVES,))]))
    position = torch.searchsorted(sample, targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states = model.encoder(ids, batch.attention_mask, batch.token_type_ids)
        logits = words(states[chosen], sample)
    masked = F.cross_entropy(logits.float(), position) if chosen.any() else states.sum() * 0.0
    features, _ = model.pool(states, batch.attention_mask, batch.token_type_ids)
    losses = head_losses(model.heads, model.auxiliary, F.dropout(features, model.dropout), examples, smoothing=0.05)
    loss = masked + (label_weight * total(losses) if losses else 0.0)
    main: Mapping[str, Tensor] = {k: v for k, v in losses.items() if not k.startswith("auxiliary")}
    return loss, {
        "words": masked.item(),
        "labels": total(losses).item() if losses else 0.0,
        **{k: v.item() for k, v in main.items() if k == "intent"},
    }


def optimiser_of(model: MultiTask, words: MaskedWords, rates: Rates) -> torch.optim.AdamW:
    """One optimiser over the model and the word predictor, which is new."""
    opt = optimiser(model, rates)
    opt.add_param_group(
        {"params": list(words.parameters()), "lr": rates.heads, "base": rates.heads, "weight_decay": 0.0}
    )
    return opt
