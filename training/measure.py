"""Metrics on examples, for the training loop: fast, in torch, before anything is exported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from training.data.batches import Tokens, collate
from training.data.examples import Example
from training.model import MultiTask

Arrays = dict[str, npt.NDArray[np.float32]]


@torch.no_grad()
def predict(model: MultiTask, tokens: Sequence[Tokens], budget: int = 4096, *, exact: bool = False) -> Arrays:
    """Logits of all product heads, each float32 (n, size), in the order of ``tokens``.

    ``exact`` computes in float32 instead of bfloat16.
    """
    model.eval()
    order = sorted(range(len(tokens)), key=lambda i: len(tokens[i].ids))
    out: dict[str, list[npt.NDArray[np.float32]]] = {}
    done: list[int] = []
    while len(done) < len(order):
        size = max(1, budget // len(tokens[order[min(len(order) - 1, len(done) + 63)]].ids))
        index = order[len(done) : len(done) + min(size, 64)]
        batch = collate(tokens, index)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not exact):
            states = model.encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)
        features, mean = model.pool(states, batch.attention_mask, batch.token_type_ids)
        for name, head in model.heads.items():
            logits = head(features)
            if name == "intent" and model.wide is not None:
                logits = logits + model.wide(batch.input_ids, batch.attention_mask, batch.token_type_ids)
            out.setdefault(name, []).append(logits.numpy())
        out.setdefault("embedding", []).append(model.embed(mean).numpy())
        done += index
    inverse = np.argsort(done)
    return {name: np.concatenate(parts)[inverse] for name, parts in out.items()}


def quick_metrics(model: MultiTask, examples: Sequence[Example], tokens: Sequence[Tokens]) -> dict[str, float]:
    """Accuracy per head on labelled examples; the first intent counts."""
    return score(predict(model, tokens), examples)


def score(logits: Arrays, examples: Sequence[Example]) -> dict[str, float]:
    """Accuracies of ``logits`` against the labels; flags as micro-F1 at 0.5."""
    result = {}
    for name in ("intent", "sentiment", "emotion", "priority"):
        rows = [
            i
            for i, e in enumerate(examples)
            if getattr(e, name) is not None and (name != "sentiment" or len(e.sentiment or ()) == 1)
        ]
        if rows:
            truth = np.array([label_of(examples[i], name) for i in rows])
            result[name] = float((logits[name][rows].argmax(-1) == truth).mean())
    rows = [i for i, e in enumerate(examples) if e.flags is not None]
    if rows:
        truth = np.zeros_like(logits["flags"][rows])
        for row, i in enumerate(rows):
            truth[row, list(examples[i].flags or ())] = 1
        said = logits["flags"][rows] > 0
        hits = float((said * truth).sum())
        result["flags_f1"] = 2 * hits / max(1.0, float(said.sum() + truth.sum()))
    return result


def label_of(example: Example, head: str) -> int:
    """The single class of a head: the main intent, the exact sentiment step, the emotion or the priority."""
    if head == "intent":
        assert example.intent
        return max(example.intent, key=lambda i: example.intent[i] if example.intent else 0.0)
    if head == "sentiment":
        assert example.sentiment
        return example.sentiment[0]
    return int(getattr(example, head))
