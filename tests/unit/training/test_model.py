"""The encoder's format and the losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.data.batches import collate, join
from training.data.examples import Example
from training.encoder import BLOCK, EncoderShape, dequantise, quantise, unpack_q4
from training.hub import from_bert
from training.losses import head_losses, sentiment_loss
from training.model import Encoder, MultiTask
from training.recipe import EncoderRecipe
from training.stages import keep_layers
from training.tiny import tiny_encoder
from training.vocabulary import same_segmentation, trim
from training.wide import BUCKETS, features, scaled


def test_q4_blocks_unpack_low_nibbles_first() -> None:
    packed = np.zeros(1, dtype=[("scale", "<f2"), ("bytes", "u1", (16,))])
    packed["scale"] = 0.5
    packed["bytes"][0, 3] = 0xA1
    nibbles, scales = unpack_q4(packed.tobytes(), BLOCK)
    values = dequantise(nibbles, scales)
    assert values[0, 3] == (1 - 8) * 0.5
    assert values[0, 19] == (0xA - 8) * 0.5


def test_quantising_what_was_quantised_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    once = dequantise(*quantise(rng.normal(size=(20, 64)).astype(np.float32)))
    assert np.abs(dequantise(*quantise(once)) - once).max() < 1e-3


def small_model() -> MultiTask:
    torch.manual_seed(0)
    shape = EncoderShape(hidden=32, layers=1, heads=2, intermediate=64, vocabulary=50)
    return MultiTask(Encoder(shape), {"intent": 4, "sentiment": 5, "scope": 1}, {"other": 3})


def test_padding_does_not_change_the_outputs() -> None:
    model = small_model().eval()
    model.encoder.table.normal_()
    ids = torch.tensor([[0, 7, 8, 2]])
    padded = torch.tensor([[0, 7, 8, 2, 1, 1]])
    with torch.no_grad():
        a = model(ids, torch.ones_like(ids), torch.zeros_like(ids))
        b = model(padded, (padded != 1).long(), torch.zeros_like(padded))
    for name in a:
        assert torch.allclose(a[name], b[name], atol=1e-5)
    assert torch.allclose(a["embedding"].norm(dim=-1), torch.ones(1))


def test_a_head_learns_only_from_what_labels_it() -> None:
    model = small_model()
    features = torch.randn(2, 64, requires_grad=True)
    examples = [Example(text="a", intent={1: 1.0}), Example(text="b", auxiliary={"other": 2})]
    losses = head_losses(model.heads, model.auxiliary, features, examples, 0.0)
    assert set(losses) == {"intent", "auxiliary.other"}
    losses["intent"].backward()
    assert features.grad is not None
    assert features.grad[1].abs().sum() == 0


def test_two_class_reviews_allow_either_step_of_their_side() -> None:
    logits = torch.tensor([[9.0, -9.0, -9.0, -9.0, -9.0]])
    assert sentiment_loss(logits, [Example(text="a", sentiment=(0, 1))], 0.0).item() == pytest.approx(0.0, abs=1e-3)
    assert sentiment_loss(logits, [Example(text="a", sentiment=(3, 4))], 0.0).item() > 5


def test_trimming_keeps_the_segmentation_of_text_without_the_lost_pieces() -> None:
    texts = ["快递三天没动了", "我要退货退款", "发票什么时候开", "谢谢客服"] * 20
    weights = tiny_encoder(texts, EncoderRecipe(kind="tiny", vocabulary=60, hidden=32), seed=1)
    cut = trim(weights, [i for i in range(weights.shape.vocabulary) if i != weights.shape.vocabulary - 2])
    assert cut.shape.vocabulary == weights.shape.vocabulary - 1 == len(cut.nibbles)
    assert same_segmentation(weights.tokenizer, cut.tokenizer, texts[:4]) >= 0.75


def test_layers_are_cut_evenly() -> None:
    weights = tiny_encoder(["你好"] * 30, EncoderRecipe(kind="tiny", vocabulary=20, hidden=32, layers=6), seed=1)
    cut = keep_layers(weights, 3)
    assert cut.shape.layers == 3
    assert np.array_equal(cut.tensors["layers.2.qkv.weight"], weights.tensors["layers.5.qkv.weight"])


def test_our_encoder_computes_what_transformers_does() -> None:
    from transformers import BertConfig, BertModel

    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=60,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=96,
        max_position_embeddings=32,
    )
    theirs = BertModel(config, add_pooling_layer=False).eval()
    state = {name: value.numpy() for name, value in theirs.state_dict().items() if value.is_floating_point()}
    weights = from_bert(state, config.to_dict(), {})
    ours = Encoder.from_weights(weights).eval()
    theirs.embeddings.word_embeddings.weight.data.copy_(ours.table)
    ids = torch.tensor([[0, 7, 8, 2, 9, 2], [0, 5, 2, 1, 1, 1]])
    mask, types = (ids != 1).long(), torch.tensor([[0, 0, 0, 0, 1, 1], [0] * 6])
    with torch.no_grad():
        expected = theirs(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state
        states = ours(ids, mask, types)
    assert torch.allclose(states[mask.bool()], expected[mask.bool()], atol=1e-4)


def test_wide_features_are_the_same_in_training_and_in_the_graph() -> None:
    rng = np.random.default_rng(7)
    tokens = [
        join(rng.integers(3, 900, n).tolist(), rng.integers(3, 900, m).tolist(), 64, 32)
        for n, m in ((1, 0), (5, 3), (12, 0))
    ]
    weight, bias = torch.randn(BUCKETS, 4), torch.randn(4)
    expected = features(tokens) @ weight.numpy() + bias.numpy()
    batch = collate(tokens, [0, 1, 2])
    said = scaled((weight, bias), 1.0)(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    assert np.abs(said.numpy() - expected).max() < 0.01
