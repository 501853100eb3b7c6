"""`nlp-service doctor`: check an installation, one line a finding, without changing anything."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from sqlalchemy import make_url

from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.migrations import run as migrations
from nlp_service.bootstrap.labeller import open_labeller
from nlp_service.bootstrap.parts import open_policy, open_taxonomy
from nlp_service.contract.bundle import read_accepted, read_manifest, verify_files
from nlp_service.core.messages import Message
from nlp_service.errors import NlpServiceError
from nlp_service.settings import Settings

LEAST_FREE_BYTES = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Finding:
    ok: bool
    what: str
    detail: str


def doctor() -> None:
    """Check settings, model, policy, database, port and disk; the exit code is 1 where something is wrong.

    Example:
      NLP_SERVICE_DATABASE=postgresql://nlp@localhost/nlp nlp-service doctor
    """
    console = Console()
    wrong = 0
    for finding in examine(Settings()):
        mark = "[green]ok   [/green]" if finding.ok else "[red]wrong[/red]"
        console.print(f"{mark} {finding.what}: ", end="")
        console.print(finding.detail, markup=False, highlight=False, soft_wrap=True)
        wrong += not finding.ok
    if wrong:
        raise typer.Exit(1)


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield a finding per part of the installation; a fault of one part hides no other."""
    checks: tuple[tuple[str, Callable[[Settings], str]], ...] = (
        ("model", _model),
        ("policy", _policy),
        ("a message", _message),
        ("database", _database),
        ("port", _port),
        ("disk", _disk),
        ("processors", _processors),
    )
    for what, check in checks:
        try:
            yield Finding(ok=True, what=what, detail=check(settings))
        except (NlpServiceError, OSError) as exc:
            yield Finding(ok=False, what=what, detail=str(exc))


def _model(settings: Settings) -> str:
    folder = read_accepted(settings.models)
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    return f"{manifest.name} {manifest.version}, {len(manifest.files)} files as their hashes say"


def _policy(settings: Settings) -> str:
    policy = open_policy(settings, open_taxonomy(settings))
    return f"{settings.policy or 'the shipped one'}, {len(policy.priority)} priority rules"


def _message(settings: Settings) -> str:
    labeller = open_labeller(settings)
    [labelling] = labeller.label([Message(id="doctor", text="快递三天没动了")])
    return f"labelled as {labelling.labels.intent.label} {labelling.labels.intent.confidence:.2f}"


def _database(settings: Settings) -> str:
    shown = make_url(settings.database).render_as_string(hide_password=True)
    path = make_url(settings.database).database
    if settings.database.startswith("sqlite") and path and not Path(path).exists():
        return f"{shown} does not exist yet; the first start makes it"
    found, release = migrations.current(settings.database), migrations.head()
    with Database.open(settings.database) as database:
        database.check()
    state = "" if found == release else f"; the next start migrates it to {release}"
    return f"{shown} answers, revision {found}{state}"


def _port(settings: Settings) -> str:
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as exc:
            raise OSError(f"{settings.host}:{settings.port} cannot be listened on: {exc.strerror}") from exc
    return f"{settings.host}:{settings.port} is free"


def _disk(settings: Settings) -> str:
    path = make_url(settings.database).database if settings.database.startswith("sqlite") else None
    folder = next(parent for parent in Path(path or ".").absolute().parents if parent.is_dir())
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise OSError(f"{folder} has {free >> 20} MiB left; the database needs at least {LEAST_FREE_BYTES >> 20}")
    return f"{free >> 30} GiB free in {folder}"


def _processors(_: Settings) -> str:
    return f"{len(os.sched_getaffinity(0))} usable, one ONNX session each by default"
