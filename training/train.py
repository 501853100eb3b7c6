"""Multi-task fine-tuning: every batch mixes our messages with sets that teach single heads."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.data.batches import Batch, Tokens, collate, plan
from training.data.examples import Example
from training.loop import (
    Average,
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
from training.measure import quick_metrics
from training.model import MultiTask
from training.recipe import TrainRecipe

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 150.0


class Trainer:
    """One fine-tuning run; ``run`` leaves ``model.pt`` (the averaged weights) in its folder."""

    def __init__(self, *, model: MultiTask, recipe: TrainRecipe, seed: int, mask_id: int, folder: Path) -> None:
        self.model, self.recipe, self.seed, self.mask_id, self.folder = model, recipe, seed, mask_id, folder
        rates = Rates(
            encoder=recipe.encoder_rate,
            heads=recipe.heads_rate,
            decay=recipe.layer_decay,
            weight_decay=recipe.weight_decay,
        )
        model.dropout = recipe.dropout
        for layer in model.encoder.layers:
            layer.dropout = recipe.encoder_dropout
        self.workers = Workers()
        self.optimiser = optimiser(model, rates)
        self.average = Average(model, recipe.average) if recipe.average else None

    def run(
        self,
        examples: Sequence[Example],
        tokens: Sequence[Tokens],
        teacher: Tensor | None,
        validation: tuple[Sequence[Example], Sequence[Tokens]],
    ) -> dict[str, float]:
        """Train on all ``examples``; ``teacher`` float32 (n, hidden) holds original sentence vectors, NaN where none.

        Resumes from its checkpoint; returns the metrics of the averaged weights on ``validation``.
        """
        seed_everything(self.seed)
        batches, ends = self._plan(tokens)
        batches, ends = self.workers.mine(batches), [end // self.workers.count for end in ends]
        start = self._resume()
        progress, saved = Progress(len(batches), start=start), time.monotonic()
        metrics: dict[str, float] = {}
        for step in range(start, len(batches)):
            self.model.train()
            set_rate(self.optimiser, step, len(batches))
            batch = collate(tokens, batches[step])
            vectors = None if teacher is None else teacher[batch.index]
            progress.note(step, self.step(step, batch, [examples[i] for i in batch.index], vectors))
            if self.average:
                self.average.update(self.model)
            if step + 1 in ends and self.workers.first:
                metrics = self.validate(*validation)
                log.info("epoch %d: %s", ends.index(step + 1) + 1, " ".join(f"{k}={v:.4f}" for k, v in metrics.items()))
            if self.workers.first and time.monotonic() - saved > CHECKPOINT_SECONDS:
                self._checkpoint(step + 1)
                saved = time.monotonic()
        if self.average:
            self.average.copy_to(self.model)
        if self.workers.first:
            save_checkpoint(self.folder / "model.pt", model=self.model.state_dict(), metrics=metrics)
        self.workers.wait()
        return metrics

    def step(self, number: int, batch: Batch, examples: Sequence[Example], teacher: Tensor | None) -> dict[str, float]:
        """One update of the weights; returns what progress shows."""
        generator = np.random.default_rng((self.seed, number, self.workers.rank))
        ids = self._drop_words(batch, generator)
        loss, shown, said = self._loss(batch, ids, examples, teacher, None)
        if self.recipe.consistency:
            again, _, other = self._loss(batch, ids, examples, teacher, None)
            apart = disagreement(said, other, [i for i, e in enumerate(examples) if e.intent is not None])
            shown["apart"] = apart.item()
            loss = (loss + again) / 2 + self.recipe.consistency * apart
        loss.backward()
        if self.recipe.adversarial:
            self._adversarial(batch, ids, examples)
        self.workers.average_gradients(self.model)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return shown

    def validate(self, examples: Sequence[Example], tokens: Sequence[Tokens]) -> dict[str, float]:
        """Metrics of the averaged weights."""
        if not self.average:
            return quick_metrics(self.model, examples, tokens)
        kept = {name: p.detach().clone() for name, p in self.model.named_parameters() if p.requires_grad}
        self.average.copy_to(self.model)
        metrics = quick_metrics(self.model, examples, tokens)
        self.model.load_state_dict(kept, strict=False)
        return metrics

    def _loss(
        self, batch: Batch, ids: Tensor, examples: Sequence[Example], teacher: Tensor | None, shift: Tensor | None
    ) -> tuple[Tensor, dict[str, float], Tensor]:
        """Return the loss, what progress shows, and the intent logits (batch, intents) of this pass."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            states = self.model.encoder(ids, batch.attention_mask, batch.token_type_ids, shift)
        features, mean = self.model.pool(states, batch.attention_mask, batch.token_type_ids)
        dropped = F.dropout(features, self.recipe.dropout, training=True)
        losses = head_losses(self.model.heads, self.model.auxiliary, dropped, examples, self.recipe.smoothing)
        loss = total(losses)
        shown = {"loss": loss.item(), "intent": losses["intent"].item() if "intent" in losses else 0.0}
        if teacher is not None and self.recipe.embedding_weight:
            rows = ~torch.isnan(teacher[:, 0])
            if rows.any():
                distance = 1 - F.cosine_similarity(self.model.embed(mean[rows]), teacher[rows], dim=-1)
                loss = loss + self.recipe.embedding_weight * distance.sum() / len(teacher)
                shown["embedding"] = distance.mean().item()
        return loss, shown, self.model.heads["intent"](dropped)

    def _adversarial(self, batch: Batch, ids: Tensor, examples: Sequence[Example]) -> None:
        """FGM (Miyato et al. 2017): a second backward pass with the word vectors moved up the gradient."""
        shift = torch.zeros(*ids.shape, self.model.encoder.shape.hidden, requires_grad=True)
        probe, _, _ = self._loss(batch, ids, examples, None, shift)
        (gradient,) = torch.autograd.grad(probe, shift)
        moved = self.recipe.adversarial * gradient / (gradient.norm(dim=(1, 2), keepdim=True) + 1e-8)
        loss, _, _ = self._loss(batch, ids, examples, None, moved)
        loss.backward()

    def _drop_words(self, batch: Batch, generator: np.random.Generator) -> Tensor:
        share = self.recipe.word_dropout
        if not share:
            return batch.input_ids
        chosen = torch.from_numpy(generator.random(tuple(batch.input_ids.shape)) < share) & (batch.input_ids > 3)
        return torch.where(chosen, torch.full_like(batch.input_ids, self.mask_id), batch.input_ids)

    def _plan(self, tokens: Sequence[Tokens]) -> tuple[list[list[int]], list[int]]:
        rng = random.Random(self.seed)
        batches: list[list[int]] = []
        ends = []
        for _ in range(self.recipe.epochs):
            order = list(range(len(tokens)))
            rng.shuffle(order)
            batches += plan(tokens, order, self.recipe.budget // self.workers.count, rng)
            ends.append(len(batches))
        return batches, ends

    def _checkpoint(self, step: int) -> None:
        average = self.average.values if self.average else {}
        save_checkpoint(
            self.folder / "train.ckpt",
            model=self.model.state_dict(),
            optimiser=self.optimiser.state_dict(),
            average=average,
            count=self.average.count if self.average else 0,
            step=step,
        )

    def _resume(self) -> int:
        state = load_checkpoint(self.folder / "train.ckpt")
        if state is None:
            return 0
        self.model.load_state_dict(state["model"])  # type: ignore[arg-type]
        self.optimiser.load_state_dict(state["optimiser"])  # type: ignore[arg-type]
        if self.average:
            self.average.values = state["average"]  # type: ignore[assignment]
            self.average.count = int(state["count"])  # type: ignore[call-overload]
        log.info("resuming at step %s", state["step"])
        return int(state["step"])  # type: ignore[call-overload]


def disagreement(first: Tensor, second: Tensor, rows: Sequence[int]) -> Tensor:
    """R-Drop (Liang et al. 2021): symmetric divergence of two passes that left out different parts, a scalar.

    Logits (batch, classes); only ``rows`` count, divided by the whole batch as the heads' losses are.
    """
    one, two = F.log_softmax(first[rows], -1), F.log_softmax(second[rows], -1)
    both = F.kl_div(one, two, reduction="sum", log_target=True) + F.kl_div(two, one, reduction="sum", log_target=True)
    return both / (2 * len(first))


@torch.no_grad()
def teacher_vectors(
    model: MultiTask, prefix: tuple[int, ...], examples: Sequence[Example], tokens: Sequence[Tokens]
) -> Tensor:
    """Themes embedding (n, hidden) by ``model`` of ``prefix`` and segment A alone.

    Only examples of the product heads get one; the others' rows are NaN.
    """
    vectors = torch.full((len(examples), model.encoder.shape.hidden), float("nan"))
    own = [Tokens(ids=(t.ids[0], *prefix, *t.ids[1 : t.boundary]), boundary=t.boundary + len(prefix)) for t in tokens]
    workers = Workers()
    rows = sorted((i for i, e in enumerate(examples) if e.intent is not None), key=lambda i: len(own[i].ids))
    rows = rows[workers.rank :: workers.count]
    model.eval()
    for start in range(0, len(rows), 96):
        index = rows[start : start + 96]
        batch = collate(own, index)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            states = model.encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)
        _, mean = model.pool(states, batch.attention_mask, batch.token_type_ids)
        vectors[index] = model.embed(mean)
    return workers.fill(vectors)
