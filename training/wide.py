"""Wide and deep (Cheng et al. 2016): a linear model over hashed piece n-grams, added to the intent logits.

It sees what the encoder smooths over: exact words. It is fitted alone on the training messages and its share is
chosen on validation, so that it cannot lean on the encoder's fit of its own training data.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from training.data.batches import Tokens

log = logging.getLogger(__name__)

BUCKETS = 1 << 15
# One odd multiplier a position: one piece, two, three, and one piece of the context.
ONE, TWO, THREE, BEFORE = (7919,), (104729, 1299709), (15485863, 32452843, 49979687), (86028121,)
SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6, 1.0)


class Wide(nn.Module):
    """Logits float32 (batch, classes) of the n-grams of a batch."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """Weight float16 (buckets, classes) and bias float32 (classes,), both already multiplied by the share."""
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        own, word = attention_mask * (1 - token_type_ids), (input_ids > 2).long()
        one = own * word
        two, three, before = own[:, 1:], own[:, 2:], attention_mask * token_type_ids * word
        total = (
            self._sum(input_ids * ONE[0] + 1, one)
            + self._sum(input_ids[:, :-1] * TWO[0] + input_ids[:, 1:] * TWO[1] + 2, two)
            + self._sum(
                input_ids[:, :-2] * THREE[0] + input_ids[:, 1:-1] * THREE[1] + input_ids[:, 2:] * THREE[2] + 3, three
            )
            + self._sum(input_ids * BEFORE[0] + 4, before)
        )
        count = one.sum(1) + two.sum(1) + three.sum(1) + before.sum(1)
        return total / count.clamp(min=1).float().sqrt()[:, None] + self.bias

    def _sum(self, keys: Tensor, valid: Tensor) -> Tensor:
        rows = F.embedding(torch.remainder(keys, self.weight.shape[0]), self.weight).float()
        return (rows * valid[..., None].float()).sum(1)


def features(tokens: Sequence[Tokens], buckets: int = BUCKETS) -> sp.csr_matrix:
    """The same n-grams as a matrix (n, buckets)."""
    keys, starts = [], [0]
    for item in tokens:
        ids = np.asarray(item.ids, dtype=np.int64)
        own, before = ids[: item.boundary], ids[item.boundary :]
        parts = [
            own[own > 2] * ONE[0] + 1,
            own[:-1] * TWO[0] + own[1:] * TWO[1] + 2,
            own[:-2] * THREE[0] + own[1:-1] * THREE[1] + own[2:] * THREE[2] + 3,
            before[before > 2] * BEFORE[0] + 4,
        ]
        keys.append(np.concatenate(parts) % buckets)
        starts.append(starts[-1] + len(keys[-1]))
    values = np.concatenate([np.full(len(k), 1 / np.sqrt(max(1, len(k))), np.float32) for k in keys])
    matrix = sp.csr_matrix((values, np.concatenate(keys), starts), shape=(len(tokens), buckets))
    matrix.sum_duplicates()
    return matrix


def fit_wide(tokens: Sequence[Tokens], labels: npt.NDArray[np.int64], classes: int) -> tuple[Tensor, Tensor]:
    """Fit the linear model; returns weight float32 (buckets, classes) and bias.

    A class that was never seen stays very unlikely.
    """
    model = LogisticRegression(C=20, max_iter=40, tol=1e-3).fit(features(tokens), labels)
    weight = torch.zeros(BUCKETS, classes)
    bias = torch.full((classes,), float(model.intercept_.min()) - 2.0)
    weight[:, model.classes_] = torch.from_numpy(np.ascontiguousarray(model.coef_.T)).float()
    bias[model.classes_] = torch.from_numpy(model.intercept_).float()
    return weight, bias


def choose_share(
    deep: npt.NDArray[np.float32],
    tokens: Sequence[Tokens],
    labels: npt.NDArray[np.int64],
    linear: tuple[Tensor, Tensor],
) -> float:
    """Return the share of the wide logits that is most accurate on validation messages, given the deep logits."""
    wide = features(tokens) @ linear[0].numpy() + linear[1].numpy()
    scores = {share: float(((deep + share * wide).argmax(1) == labels).mean()) for share in SHARES}
    log.info("accuracy by share of the wide part: %s", {k: round(v, 4) for k, v in scores.items()})
    return max(SHARES, key=lambda share: (round(scores[share], 4), -share))


def scaled(linear: tuple[Tensor, Tensor], share: float) -> Wide:
    """The module that adds ``share`` of the linear model."""
    return Wide((linear[0] * share).half(), linear[1] * share)
