"""Static int8: close to float, and the same for a row whatever else is in the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from nlp_service.errors import ConfigurationError
from training.quantise import Feed, Range, find_products, quantise_static, smooth

SIZE = 64
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def write_float_graph(path: Path) -> None:
    """Look up, multiply twice with a bias, with one channel far larger than the others as encoders have."""
    random = np.random.default_rng(0)
    table = random.standard_normal((50, SIZE)).astype(np.float32)
    table[:, 3] *= 40
    constants = {"table": table}
    for name in ("first", "second"):
        constants[f"{name}.weight"] = (random.standard_normal((SIZE, SIZE)) / 8).astype(np.float32)
        constants[f"{name}.bias"] = random.standard_normal(SIZE).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("MatMul", ["words", "first.weight"], ["first.out"], name="first"),
        helper.make_node("Add", ["first.bias", "first.out"], ["first.sum"]),
        helper.make_node("Relu", ["first.sum"], ["first.relu"]),
        helper.make_node("MatMul", ["first.relu", "second.weight"], ["second.out"], name="second"),
        helper.make_node("Add", ["second.out", "second.bias"], ["states"]),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "tokens"]) for name in INPUTS]
    output = helper.make_tensor_value_info("states", TensorProto.FLOAT, ["rows", "tokens", SIZE])
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "float", inputs, [output], initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))


def feeds(count: int = 8, rows: int = 4) -> list[Feed]:
    random = np.random.default_rng(1)
    ids = [random.integers(0, 50, (rows, 6)) for _ in range(count)]
    return [{"input_ids": i, "attention_mask": np.ones_like(i), "token_type_ids": np.zeros_like(i)} for i in ids]


def run(path: Path, feed: Feed) -> np.ndarray:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    used = {item.name for item in session.get_inputs()}
    return np.asarray(session.run(["states"], {name: value for name, value in feed.items() if name in used})[0])


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("graphs")
    plain, quantised = folder / "plain.onnx", folder / "int8.onnx"
    write_float_graph(plain)
    assert quantise_static(plain, quantised, feeds()) == 2
    return plain, quantised


def test_the_products_are_found_with_the_bias_on_either_side(graphs: tuple[Path, Path]) -> None:
    assert [product.name for product in find_products(onnx.load(str(graphs[0])).graph)] == ["first", "second"]


def test_int8_stays_close_to_float_in_spite_of_an_outlier_channel(graphs: tuple[Path, Path]) -> None:
    [feed] = feeds(1)
    expected, found = (run(path, feed).reshape(-1, SIZE) for path in graphs)
    cosine = (expected * found).sum(1) / np.linalg.norm(expected, axis=1) / np.linalg.norm(found, axis=1)
    assert cosine.min() > 0.995


def test_a_row_scores_the_same_in_any_company(graphs: tuple[Path, Path]) -> None:
    [feed] = feeds(1, rows=5)
    together = run(graphs[1], feed)
    for row in range(5):
        alone = run(graphs[1], {name: value[row : row + 1] for name, value in feed.items()})
        np.testing.assert_allclose(alone[0], together[row], atol=1e-5)


def test_a_loud_channel_moves_into_its_weights() -> None:
    factor = smooth(np.ones((2, 3), dtype=np.float32), Range(low=np.array([-1.0, 0.0]), high=np.array([0.5, 16.0])))
    np.testing.assert_allclose(factor, [1.0, 8.0])


def test_no_calibration_text_is_refused(graphs: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="calibration texts"):
        quantise_static(graphs[0], tmp_path / "none.onnx", [])
