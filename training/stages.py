"""The stages from corpora to bundle. Each leaves its result in the run's folder and is skipped when it is there."""

from __future__ import annotations

import json
import logging
import random
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from nlp_service.contract.calibration import write_calibration
from nlp_service.contract.corpus import read_records
from nlp_service.contract.taxonomy import Taxonomy, load_taxonomy
from training import bundle, card
from training.calibrate import calibrate
from training.data.assemble import Folders, TrainingData, assemble, assemble_pretraining, require_sets
from training.data.batches import Tokens, tokenise
from training.data.examples import Example, bucket, from_record, moved
from training.data.sets import Heads, every_text
from training.encoder import EncoderWeights, load_encoder, load_pretrained, save_encoder
from training.export import export
from training.hub import load_from_hub
from training.loop import Rates, load_checkpoint, save_checkpoint, seed_everything
from training.mapped import split_weights
from training.measure import label_of, predict
from training.model import Encoder, MultiTask, head_sizes
from training.onnx_model import OnnxModel
from training.pretrain import PretrainSettings, pretrain
from training.recipe import Recipe
from training.restore import restore, take_heads
from training.tiny import tiny_encoder
from training.train import Trainer, teacher_vectors
from training.vocabulary import choose_pieces, count_pieces, trim
from training.wide import choose_share, fit_wide, scaled
from training.wordlists import common_words

log = logging.getLogger(__name__)

KEY_FIGURES = 20  # of the report, on our own development messages: the manifest carries them

PARITY_TEXTS = 400
EXAMPLES_A_LANGUAGE = {"zh": 5000}  # the others: 200, so that the bundle stays small
SHORTEST_EXAMPLE = 4
RANGE_TEXTS = 400  # static quantisation measures its ranges on them
TEACHER_PREFIX = "query: "  # the original encoder was trained with it


@dataclass(frozen=True)
class Run:
    """One run: a recipe, where its data lies and where its results go."""

    recipe: Recipe
    corpora: Path
    repository: Path  # our own corpora/ folder
    taxonomy_path: Path
    out: Path
    cache: Path  # downloads and the trimmed encoder, shared by runs
    allow_missing: bool = False
    parent: Path | None = None  # a bundle to go on from, in place of the pretrained encoder
    name: str = "feedback-multilingual"
    version: str = "0.1.0"

    @cached_property
    def taxonomy(self) -> Taxonomy:
        return load_taxonomy(self.taxonomy_path)

    @cached_property
    def weights(self) -> EncoderWeights:
        """The prepared encoder, cut to the recipe's layers."""
        return keep_layers(load_encoder(self.encoder_folder), self.recipe.encoder.layers)

    @property
    def encoder_folder(self) -> Path:
        own = self.parent is not None or self.recipe.encoder.kind == "tiny"
        return (self.out if own else self.cache) / "encoder"

    @property
    def bundle(self) -> Path:
        return self.out / "bundle"

    @cached_property
    def data(self) -> TrainingData:
        recipe = require_sets(self.recipe.data, self.corpora, self.allow_missing)
        folders = Folders(corpora=self.corpora, repository=self.repository)
        known = self.out / "heads.json"
        heads = Heads(json.loads(known.read_text(encoding="utf-8")) if known.is_file() else None)
        return assemble(recipe, folders, self.taxonomy, heads)

    def tokens(self, examples: Sequence[Example]) -> list[Tokens]:
        limits = self.recipe.train
        return tokenise(self.weights.tokenizer, examples, limits.max_tokens, limits.max_context)

    @property
    def mask_id(self) -> int:
        return next(
            int(token["id"]) for token in self.weights.tokenizer["added_tokens"] if token["content"] == "<mask>"
        )


def keep_layers(weights: EncoderWeights, layers: int | None) -> EncoderWeights:
    """Keep ``layers`` evenly spaced layers, the first and the last among them."""
    if layers is None or layers >= weights.shape.layers:
        return weights
    chosen = [round(i * (weights.shape.layers - 1) / (layers - 1)) for i in range(layers)] if layers > 1 else [0]
    tensors = {name: value for name, value in weights.tensors.items() if not name.startswith("layers.")}
    for new, old in enumerate(chosen):
        prefix = f"layers.{old}."
        tensors |= {f"layers.{new}." + n[len(prefix) :]: v for n, v in weights.tensors.items() if n.startswith(prefix)}
    return replace(weights, tensors=tensors, shape=replace(weights.shape, layers=layers))


def prepare(run: Run) -> None:
    """Fetch the encoder and trim its vocabulary, take the parent's, or make the tiny one."""
    if (run.encoder_folder / "encoder.json").is_file():
        return
    run.encoder_folder.mkdir(parents=True, exist_ok=True)
    if run.parent is not None:
        save_encoder(restore(run.parent).weights, run.encoder_folder)
        return
    if run.recipe.encoder.kind == "tiny":
        texts = [text for example in run.data.main for text in (example.text, example.context) if text]
        save_encoder(tiny_encoder(texts, run.recipe.encoder, run.recipe.seed), run.encoder_folder)
        return
    weights = load_from_hub(run.cache) or load_pretrained(run.cache)
    tokenizer = Tokenizer.from_str(json.dumps(weights.tokenizer))
    used = count_pieces(tokenizer, every_text(run.corpora))
    used = type(used)({piece: count for piece, count in used.items() if count > 1})
    for piece in count_pieces(tokenizer, common_words(run.cache)):
        used[piece] += 2
    keep = choose_pieces(weights.tokenizer, used)
    log.info("vocabulary cut from %d to %d pieces", weights.shape.vocabulary, len(keep))
    save_encoder(trim(weights, keep), run.encoder_folder)


def build_model(run: Run) -> MultiTask:
    """A model from the prepared encoder, with the pre-trained weights where there are some."""
    seed_everything(run.recipe.seed)
    model = MultiTask(
        Encoder.from_weights(run.weights), head_sizes(run.taxonomy), run.data.heads.sizes(), run.recipe.train.dropout
    )
    if run.parent is not None:
        added = take_heads(model, restore(run.parent), run.taxonomy)
        log.info("going on from %s; new intents: %s", run.parent, ", ".join(added) or "none")
    state = load_checkpoint(run.out / "pretrained.pt")
    if state is not None:
        own = model.state_dict()
        loaded: dict[str, torch.Tensor] = state["model"]  # type: ignore[assignment]
        fits = {name: value for name, value in loaded.items() if name in own and own[name].shape == value.shape}
        model.load_state_dict(fits, strict=False)
        log.info("%d of %d pre-trained tensors taken", len(fits), len(loaded))
    return model


def run_pretraining(run: Run) -> None:
    """Masked-word training; leaves pretrained.pt and heads.json."""
    settings = run.recipe.pretrain
    if not settings.epochs or (run.out / "pretrained.pt").is_file():
        return
    recipe = require_sets(run.recipe.data, run.corpora, run.allow_missing)
    folders = Folders(corpora=run.corpora, repository=run.repository)
    examples = assemble_pretraining(recipe, folders, run.taxonomy, run.data)
    run.out.mkdir(parents=True, exist_ok=True)
    (run.out / "heads.json").write_text(json.dumps(run.data.heads.classes, ensure_ascii=False), encoding="utf-8")
    tokens = tokenise(run.weights.tokenizer, examples, settings.max_tokens, settings.max_context)
    plan = PretrainSettings(
        epochs=settings.epochs,
        budget=settings.budget,
        mask_share=settings.mask_share,
        seed=run.recipe.seed,
        rates=Rates(encoder=settings.encoder_rate, heads=settings.heads_rate),
    )
    pretrain(build_model(run), examples, tokens, run.mask_id, run.out, plan)


def run_training(run: Run) -> None:
    """Multi-task fine-tuning; leaves model.pt."""
    if (run.out / "model.pt").is_file():
        return
    examples = [*run.data.main, *run.data.extra]
    tokens = run.tokens(examples)
    teacher = None
    if run.recipe.train.embedding_weight and run.recipe.encoder.kind != "tiny":
        teacher = teacher_vectors(*embedding_teacher(run), examples, tokens)
        log.info("%d teacher vectors", int((~torch.isnan(teacher[:, 0])).sum()))
    trainer = Trainer(
        model=build_model(run), recipe=run.recipe.train, seed=run.recipe.seed, mask_id=run.mask_id, folder=run.out
    )
    trainer.run(examples, tokens, teacher, (run.data.validation, run.tokens(run.data.validation)))


def embedding_teacher(run: Run) -> tuple[MultiTask, tuple[int, ...]]:
    """Whose sentence vectors the themes embedding stays near, and the prefix it reads before each message.

    A model that goes on from a bundle keeps that bundle's embedding, so that themes keep their identity.
    """
    if run.parent is not None:
        restored = restore(run.parent)
        parent = MultiTask(Encoder.from_weights(restored.weights), {}, {})
        take_heads(parent, restored, restored.taxonomy)
        return parent, ()
    engine = Tokenizer.from_str(json.dumps(run.weights.tokenizer))
    prefix = tuple(engine.encode(TEACHER_PREFIX, add_special_tokens=False).ids)
    return MultiTask(Encoder.from_weights(load_encoder(run.encoder_folder)), {}, {}), prefix


def run_wide(run: Run) -> None:
    """Fit the linear part over n-grams and choose its share on validation; leaves wide.pt."""
    if (run.out / "wide.pt").is_file():
        return
    labelled = [example for example in run.data.main if example.intent]
    linear = fit_wide(
        run.tokens(labelled), np.array([label_of(e, "intent") for e in labelled]), len(run.taxonomy.intents)
    )
    held = [e for e in run.data.validation if e.intent and e.source != "own"] or run.data.validation
    tokens = run.tokens(held)
    deep = predict(trained_model(run), tokens)["intent"]
    share = choose_share(deep, tokens, np.array([label_of(e, "intent") for e in held]), linear)
    save_checkpoint(run.out / "wide.pt", weight=linear[0], bias=linear[1], share=share)


def run_export(run: Run) -> None:
    """Export to ONNX with the parity check; leaves bundle/model.onnx and the weights beside it."""
    if (run.bundle / "model.onnx").is_file():
        return
    bundle.copy_inputs(run.bundle, run.taxonomy_path, run.weights.tokenizer)
    model = trained_model(run)
    rng = random.Random(run.recipe.seed)
    texts = rng.sample(run.data.validation, min(PARITY_TEXTS, len(run.data.validation)))
    ranges = rng.sample(run.data.main, min(RANGE_TEXTS, len(run.data.main)))
    kind = run.recipe.quantisation
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.onnx"
        export(model, run.weights, whole, kind=kind, ranges=run.tokens(ranges), texts=run.tokens(texts))
        split_weights(whole, run.bundle)


def trained_model(run: Run) -> MultiTask:
    """The model of model.pt."""
    state = load_checkpoint(run.out / "model.pt")
    if state is None:
        raise FileNotFoundError(f"no trained model in {run.out}: run 'python -m training train' first")
    model = MultiTask(Encoder.from_weights(run.weights), head_sizes(run.taxonomy), {})
    model.load_state_dict({n: v for n, v in state["model"].items() if not n.startswith("auxiliary.")})  # type: ignore[attr-defined]
    wide = load_checkpoint(run.out / "wide.pt")
    if wide is not None and wide["share"]:
        model.wide = scaled((wide["weight"], wide["bias"]), float(wide["share"]))  # type: ignore[arg-type]
    return model


def run_examples(run: Run) -> None:
    """Put our own messages and their embeddings beside the model: explanations show the nearest ones."""
    records = []
    for name in run.recipe.data.own:
        found = sorted(
            read_records(run.repository / "own" / f"{name}.jsonl"), key=lambda record: bucket(record.id, 1 << 30)
        )
        records += found[: EXAMPLES_A_LANGUAGE.get(name, 200)]
    records = [record for record in records if record.intent and len(record.text) >= SHORTEST_EXAMPLE]
    if not records:
        return
    records = [moved(record, run.recipe.data.moves) for record in records]
    examples = [from_record(record, run.taxonomy) for record in records]
    vectors = OnnxModel.load_bundle(run.bundle).run(examples)["embedding"]
    rows = [{"text": record.text, "intent": str(record.intent), "lang": record.lang} for record in records]
    bundle.write_examples(run.bundle, rows, vectors)


def run_calibration(run: Run) -> None:
    """Fit calibration.json on the validation split with the exported model."""
    served = OnnxModel.load_bundle(run.bundle)
    # Our own texts are cleaner than what customers send: promises are made on real messages where there are some.
    inside = [e for e in run.data.validation if e.scope != 1]
    real = [e for e in inside if e.source != "own"] or inside
    outside = [*run.data.scope_validation, *(e for e in run.data.validation if e.scope == 1)]
    scope = outside or real[:1]
    fitted = calibrate(served.run(real), real, served.run(scope), run.taxonomy)
    write_calibration(fitted, run.bundle / "calibration.json")
    log.info("temperatures %s, promises %s", fitted.temperatures, fitted.abstention)


def complete(run: Run) -> None:
    """Write the card, with the figures of quality.json where the run has some, and, last, the manifest."""
    figures = run.out / "quality.json"
    report = json.loads(figures.read_text(encoding="utf-8")) if figures.is_file() else {}
    sources = card.sources(run.data)
    (run.bundle / "card.md").write_text(
        card.render(run.recipe, run.name, run.version, run.taxonomy, sources, report), encoding="utf-8"
    )
    card.draw_reliability(report, run.bundle / card.DIAGRAM)
    lineage = {
        "recipe": run.recipe.name,
        "seed": run.recipe.seed,
        "parent": run.parent.name if run.parent else "intfloat/multilingual-e5-small",
        "sources": sources,
        "code": card.revision(),
        "parameters": asdict(run.recipe.train),
    }
    lineage["metrics"] = {entry["name"]: entry["value"] for entry in report.get("figures", ())[:KEY_FIGURES]}
    lineage["reliability"] = report.get("reliability", [])
    lineage["corpora"] = card.hashes(run.corpora, run.repository, run.recipe.data)
    bundle.complete(
        run.bundle,
        name=run.name,
        version=run.version,
        languages=run.recipe.languages,
        embedding_size=run.weights.shape.hidden,
        lineage=lineage,
    )
