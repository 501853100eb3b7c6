"""A small real bundle: a real tokenizer and a real ONNX graph with random weights, built in milliseconds."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from nlp_service.contract.bundle import HEADS, REQUIRED_FILES, Manifest, file_hash, write_manifest
from nlp_service.contract.calibration import Abstention, Calibration, write_calibration
from nlp_service.contract.taxonomy import Taxonomy, load_taxonomy

ROOT = Path(__file__).parent.parent
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789 ,.!?您好快递退款投诉谢谢到了没不"
HIDDEN = 16
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def write_bundle(folder: Path, *, version: str = "0.0.1", seed: int = 0, max_tokens: int = 24) -> Path:
    """Write a complete bundle whose model sums a random vector per token, weighted by token type."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "corpora" / "taxonomy.yaml", folder / "taxonomy.yaml")
    taxonomy = load_taxonomy(folder / "taxonomy.yaml")
    make_tokenizer().save(str(folder / "tokenizer.json"))
    onnx.save(_graph(taxonomy, seed), str(folder / "model.onnx"))
    write_calibration(
        Calibration(
            temperatures=dict.fromkeys(HEADS, 1.0),
            flag_thresholds=dict.fromkeys(taxonomy.flags, 0.5),
            scope_threshold=0.5,
            abstention=(Abstention(threshold=0.5, target_accuracy=0.95, risk_level=0.1, coverage=0.5, accuracy=0.95),),
        ),
        folder / "calibration.json",
    )
    (folder / "card.md").write_text("# A bundle for tests\n", encoding="utf-8")
    seal(folder, taxonomy, version=version, max_tokens=max_tokens)
    return folder


def seal(folder: Path, taxonomy: Taxonomy, *, version: str = "0.0.1", max_tokens: int = 24) -> None:
    """Write the manifest of the files as they are now."""
    write_manifest(
        folder,
        Manifest(
            name="tests",
            version=version,
            taxonomy_fingerprint=taxonomy.fingerprint,
            languages=("zh", "en"),
            embedding_size=HIDDEN,
            files={name: file_hash(folder / name) for name in REQUIRED_FILES},
            max_tokens=max_tokens,
        ),
    )


def make_tokenizer() -> Tokenizer:
    pieces = [*SPECIALS, *dict.fromkeys(ALPHABET)]
    tokenizer = Tokenizer(models.WordLevel({piece: number for number, piece in enumerate(pieces)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>"])
    return tokenizer


def _graph(taxonomy: Taxonomy, seed: int) -> onnx.ModelProto:
    """Embed, weight by mask and by type, average, project."""
    random = np.random.default_rng(seed)
    widths = {
        "intent": len(taxonomy.intents),
        "sentiment": len(taxonomy.sentiments),
        "emotion": len(taxonomy.emotions),
        "flags": len(taxonomy.flags),
        "priority": len(taxonomy.priorities),
        "scope": 1,
    }
    weights = {f"to_{name}": random.standard_normal((HIDDEN, width)) for name, width in widths.items()}
    weights["table"] = random.standard_normal((len(SPECIALS) + len(set(ALPHABET)), HIDDEN))
    weights["types"] = np.array([[1.0], [0.25]])
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("Gather", ["types", "token_type_ids"], ["share"]),
        helper.make_node("Cast", ["attention_mask"], ["kept"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["kept", "last"], ["kept3"]),
        helper.make_node("Mul", ["share", "kept3"], ["weight"]),
        helper.make_node("Mul", ["words", "weight"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "tokens"], ["sum"], keepdims=0),
        helper.make_node("LpNormalization", ["sum"], ["embedding"], axis=1, p=2),
        *[helper.make_node("MatMul", ["embedding", f"to_{name}"], [name]) for name in widths],
    ]
    constants = {name: value.astype(np.float32) for name, value in weights.items()}
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    initializers += [
        numpy_helper.from_array(np.array([2]), "last"),
        numpy_helper.from_array(np.array([1]), "tokens"),
    ]
    ids = [helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "tokens"]) for name in INPUTS]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", width]) for name, width in widths.items()
    ]
    outputs.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["rows", HIDDEN]))
    graph = helper.make_graph(nodes, "tests", ids, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model
