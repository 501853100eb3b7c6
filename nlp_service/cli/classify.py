"""`nlp-service classify`: label one text, or a file line by line."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
import typer
from rich.console import Console

from nlp_service.bootstrap.labeller import open_labeller
from nlp_service.cli.card import card
from nlp_service.cli.lines import classify_lines
from nlp_service.core.answer import answer
from nlp_service.errors import InvalidMessage
from nlp_service.settings import Settings
from nlp_service.wire.messages import parse_message


def classify(
    text: str | None = typer.Argument(None, help="One message to label; prints a card."),
    input: Path | None = typer.Option(None, "--input", "-i", help="JSONL file, one message object a line; - is stdin."),
    output: Path | None = typer.Option(
        None, "--output", "-o", help="JSONL file, one answer a line; stdout by default."
    ),
    context: list[str] = typer.Option([], "--context", help="A turn before, e.g. '客服: …'; up to two, oldest first."),
    model: Path | None = typer.Option(None, "--model", help="Bundle folder; the accepted bundle by default."),
    policy: Path | None = typer.Option(None, "--policy", help="Priority and routing policy (YAML)."),
    as_json: bool = typer.Option(False, "--json", help="Print the answer object instead of a card."),
) -> None:
    """Label one text, or every line of a file, in order.

    Examples:
      nlp-service classify "快递三天没动了，再不到我就投诉"
      nlp-service classify --input messages.jsonl --output labelled.jsonl
    """
    if (text is None) == (input is None):
        raise InvalidMessage("give one text, or a file with --input; see nlp-service classify --help")
    overrides = {} if policy is None else {"policy": policy}
    labeller = open_labeller(Settings(**overrides), bundle=model)  # type: ignore[arg-type]
    if text is not None:
        message, _ = parse_message({"text": text, "context": context})
        [labelling] = labeller.label([message])
        result = answer(labelling, labeller.taxonomy)
        if as_json:
            sys.stdout.write(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode() + "\n")
        else:
            Console().print(card(result, labeller.taxonomy))
        return
    assert input is not None
    counts = classify_lines(labeller, input, output)
    Console(stderr=True).print(
        f"{counts.read} read, {counts.labelled} labelled, {counts.failed} answered with an error", highlight=False
    )
