"""`nlp-service train`: go on from the accepted model with new labelled messages."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console

from nlp_service.bootstrap.learning import train as train_onward
from nlp_service.settings import Settings


def train(
    corpus: list[Path] = typer.Option(..., "--corpus", help="Labelled messages, JSONL in the corpus format."),
    out: Path | None = typer.Option(None, "--out", help="Folder of the run; by default one per corpus and model."),
    public_sets: Path | None = typer.Option(None, "--public-sets", help="Folder of the public sets, if any are used."),
    recipe: Path | None = typer.Option(None, "--recipe", help="Recipe; training/recipes/onward.yaml by default."),
    change: list[str] = typer.Option([], "--set", help="Change a value of the recipe, e.g. train.epochs=3."),
) -> None:
    """Train a candidate from the accepted model; the same command goes on after a kill.

    One message in ten is held out for the gate. Needs the train extra and a checkout of the repository.

    Example: nlp-service train --corpus new.jsonl
    """
    tell = Console(stderr=True)
    trained = train_onward(
        Settings(),
        tuple(corpus),
        out=out,
        public_sets=public_sets,
        recipe=recipe,
        changes=tuple(change),
        say=lambda line: tell.print(line, highlight=False, markup=False, soft_wrap=True),
    )
    console = Console()
    console.print(f"candidate {trained.version.id} in {trained.version.folder}", highlight=False, soft_wrap=True)
    for name, value in trained.version.metrics.items():
        console.print(f"  {name}: {value}", highlight=False)
    number = trained.version.manifest.version
    console.print(f"next: nlp-service models gate {number} --eval {trained.holdout}", highlight=False, soft_wrap=True)
