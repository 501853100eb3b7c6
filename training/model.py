"""The encoder in torch: BERT with a frozen 4-bit table, named as in ``encoder.EncoderWeights``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlp_service.contract.taxonomy import Taxonomy
from training.encoder import EncoderShape, EncoderWeights, dequantise
from training.wide import Wide


class Layer(nn.Module):
    """One post-norm transformer layer."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.dropout = 0.0  # share of a sublayer's output that training leaves out
        self.qkv = nn.Linear(shape.hidden, 3 * shape.hidden)
        self.attention_out = nn.Linear(shape.hidden, shape.hidden)
        self.attention_norm = nn.LayerNorm(shape.hidden, eps=shape.epsilon)
        self.inner = nn.Linear(shape.hidden, shape.intermediate)
        self.outer = nn.Linear(shape.intermediate, shape.hidden)
        self.output_norm = nn.LayerNorm(shape.hidden, eps=shape.epsilon)

    def forward(self, states: Tensor, bias: Tensor) -> Tensor:
        """States (batch, tokens, hidden) and additive attention bias (batch, 1, 1, tokens) -> new states."""
        batch, tokens, hidden = states.shape
        split = self.qkv(states).view(batch, tokens, 3, self.heads, hidden // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = split[0], split[1], split[2]
        # Plain products: on a CPU the backward pass of the fused kernel takes 38% of a step, this takes 8%.
        scores = query @ key.transpose(-1, -2) * (hidden // self.heads) ** -0.5
        mixed = F.softmax(scores + bias.to(scores.dtype), dim=-1).to(value.dtype) @ value
        mixed = mixed.permute(0, 2, 1, 3).reshape(batch, tokens, hidden)
        states = self.attention_norm(states + self._thin(self.attention_out(mixed)))
        return self.output_norm(states + self._thin(self.outer(F.gelu(self.inner(states)))))

    def _thin(self, states: Tensor) -> Tensor:
        return F.dropout(states, self.dropout, self.training) if self.dropout else states


class Encoder(nn.Module):
    """BERT whose word table is a buffer that is never trained, so that its 4-bit blocks stay exact."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("table", torch.zeros(shape.vocabulary, shape.hidden), persistent=False)
        self.position = nn.Embedding(shape.positions, shape.hidden)
        self.token_type = nn.Embedding(shape.token_types, shape.hidden)
        self.norm = nn.LayerNorm(shape.hidden, eps=shape.epsilon)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))

    @classmethod
    def from_weights(cls, weights: EncoderWeights) -> Encoder:
        encoder = cls(weights.shape)
        encoder.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.tensors.items()})
        encoder.table = torch.from_numpy(dequantise(weights.nibbles, weights.scales))
        return encoder

    def words(self, input_ids: Tensor) -> Tensor:
        """Word vectors (batch, tokens, hidden) before position and type are added."""
        return F.embedding(input_ids, self.table)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor, shift: Tensor | None = None
    ) -> Tensor:
        """Return states (batch, tokens, hidden).

        ``shift`` (batch, tokens, hidden) is added to the word vectors: adversarial training moves them.
        """
        words = self.words(input_ids)
        if shift is not None:
            words = words + shift
        positions = self.position.weight[: input_ids.shape[1]]
        states = self.norm(words + positions + self.token_type(token_type_ids))
        bias = (1.0 - attention_mask[:, None, None, :].to(states.dtype)) * -30000.0
        if torch.is_autocast_enabled("cpu"):
            states = states.to(torch.get_autocast_dtype("cpu"))
        for layer in self.layers:
            states = layer(states, bias)
        return states


class MultiTask(nn.Module):
    """The encoder with the heads of the product and the auxiliary heads that export drops."""

    def __init__(
        self, encoder: Encoder, sizes: Mapping[str, int], auxiliary: Mapping[str, int], dropout: float = 0.1
    ) -> None:
        super().__init__()
        hidden = encoder.shape.hidden
        self.encoder = encoder
        self.dropout = dropout
        self.heads = nn.ModuleDict({name: nn.Linear(2 * hidden, size) for name, size in sizes.items()})
        self.auxiliary = nn.ModuleDict({name: nn.Linear(2 * hidden, size) for name, size in auxiliary.items()})
        self.projection = nn.Linear(hidden, hidden)
        self.wide: Wide | None = None  # set after training
        nn.init.eye_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)
        for head in (*self.heads.values(), *self.auxiliary.values()):
            nn.init.normal_(head.weight, std=0.02)
            nn.init.zeros_(head.bias)

    def pool(self, states: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return features float32 (batch, 2 * hidden) for the heads and the mean over segment A (batch, hidden)."""
        states = states.float()
        own = (attention_mask * (1 - token_type_ids)).to(states.dtype)[..., None]
        mean = (states * own).sum(1) / own.sum(1).clamp(min=1.0)
        return torch.cat([mean, states[:, 0]], dim=-1), mean

    def embed(self, mean: Tensor) -> Tensor:
        """Themes embedding (batch, hidden), unit norm."""
        return F.normalize(self.projection(mean), dim=-1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> dict[str, Tensor]:
        """Logits of every product head, float32 (batch, size), and ``embedding`` (batch, hidden) of unit norm."""
        states = self.encoder(input_ids, attention_mask, token_type_ids)
        features, mean = self.pool(states, attention_mask, token_type_ids)
        outputs = {name: head(features) for name, head in self.heads.items()}
        if self.wide is not None:
            outputs["intent"] = outputs["intent"] + self.wide(input_ids, attention_mask, token_type_ids)
        return {**outputs, "embedding": self.embed(mean)}


def head_sizes(taxonomy: Taxonomy) -> dict[str, int]:
    """Columns of each product head."""
    return {
        "intent": len(taxonomy.intents),
        "sentiment": len(taxonomy.sentiments),
        "emotion": len(taxonomy.emotions),
        "flags": len(taxonomy.flags),
        "priority": len(taxonomy.priorities),
        "scope": 1,
    }
