"""`nlp-service db`: schema, backup, retention, the audit log and a customer's rights."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
import typer
from rich.console import Console

from nlp_service.adapters.db import backup as copies
from nlp_service.adapters.db import counting
from nlp_service.adapters.db.audit import AuditLog
from nlp_service.adapters.db.customers import Customers
from nlp_service.adapters.db.migrations import run as migrations
from nlp_service.adapters.db.retention import Retention
from nlp_service.adapters.erasure_marks import mark
from nlp_service.adapters.registry import Registry
from nlp_service.bootstrap.parts import now, open_database, open_sealer, retention_rules
from nlp_service.contract.corpus import read_records
from nlp_service.errors import Conflict
from nlp_service.settings import Settings

app = typer.Typer(help="Schema, backup, retention, audit log, and a customer's data.", no_args_is_help=True)
BY = "command line"


@app.command("migrate")
def migrate() -> None:
    """Bring the database to the schema of this release; safe while replicas start together.

    Example: NLP_SERVICE_DATABASE=postgresql://nlp@localhost/nlp nlp-service db migrate
    """
    Console().print(f"database is at revision {migrations.migrate(Settings().database)}")


@app.command("current")
def current() -> None:
    """Print the database's revision and the one of this release.

    Example: nlp-service db current
    """
    found = migrations.current(Settings().database) or "none"
    Console().print(f"database {found}, release {migrations.head()}")


@app.command("backup")
def backup(target: Path = typer.Argument(help="File to write; it must not exist.")) -> None:
    """Copy a SQLite database while the service runs; the copy is checked before it gets its name.

    Example: nlp-service db backup /backups/2026-03-02.db
    """
    copied = copies.backup(Settings().database, target)
    Console().print(f"{copied.path}: {copied.size / 1e6:.1f} MB at revision {copied.revision}", soft_wrap=True)


@app.command("check")
def check() -> None:
    """Read every page of a SQLite database and say whether it is whole; the service may go on.

    Example: nlp-service db check
    """
    whole = copies.check(Settings().database)
    Console().print(f"{whole.path}: {whole.size / 1e6:.1f} MB at revision {whole.revision}, whole", soft_wrap=True)


@app.command("restore")
def restore(source: Path = typer.Argument(help="A backup.")) -> None:
    """Put a backup in the database's place while the service is stopped; what stood there is kept beside it.

    Example: nlp-service db restore /backups/2026-03-02.db
    """
    copied = copies.restore(Settings().database, source)
    Console().print(f"{copied.path} is restored at revision {copied.revision}", soft_wrap=True)


@app.command("retain")
def retain() -> None:
    """Carry out the retention rules now (NLP_SERVICE_RETENTION_DAYS); the service does so every six hours.

    Example: NLP_SERVICE_RETENTION_DAYS='{"messages": 730}' nlp-service db retain
    """
    settings = Settings()
    with open_database(settings) as database:
        removed = Retention(database).run(retention_rules(settings))
    for kind, rows in removed.items():
        Console().print(f"{kind}: {rows} removed")


@app.command("recount")
def recount() -> None:
    """Count everything anew for the overview, after an older release wrote beside this one or rows were put in by hand.

    Example: nlp-service db recount
    """
    with open_database(Settings()) as database:
        counted = database.transaction(counting.recount)
    Console().print(f"{counted} messages counted")


@app.command("audit")
def audit(
    expect: str | None = typer.Option(None, "--expect", help="Hash of the last entry, noted earlier elsewhere."),
) -> None:
    """Check that no entry of the audit log was changed or removed, and print the hash to note down.

    Example: nlp-service db audit
    """
    with open_database(Settings()) as database:
        log = AuditLog(database)
        verdict = log.verify()
        if verdict.broken_at is not None:
            raise Conflict(f"the audit log does not hold: {verdict.reason}; {verdict.entries} entries before it do")
        if expect is not None and not log.contains(expect):
            raise Conflict(f"the audit log has no entry with the hash {expect}: it was rewritten or shortened")
    Console().print(f"{verdict.entries} entries hold, the last has the hash {verdict.head}", soft_wrap=True)


@app.command("export-customer")
def export_customer(customer_id: str = typer.Argument(help="The hub's customer id.")) -> None:
    """Print everything that is stored of a customer as JSON; the audit log tells of it.

    Example: nlp-service db export-customer c-1001 > c-1001.json
    """
    settings = Settings()
    with open_database(settings) as database:
        exported = Customers(database, sealer=open_sealer(settings)).export(customer_id, by=BY)
    sys.stdout.write(orjson.dumps(exported, option=orjson.OPT_INDENT_2).decode() + "\n")


@app.command("mark-erased")
def mark_erased(corpora: list[Path] = typer.Argument(help="Corpus files that were made from stored messages.")) -> None:
    """Say which corpora hold messages removed since, and mark the models trained on them (`nlp-service models list`).

    Example: nlp-service db mark-erased corpora/corrections.jsonl
    """
    settings = Settings()
    with open_database(settings) as database:
        customers = Customers(database)
        for path in corpora:
            ids = [record.id for record in read_records(path) if record.id]
            erased = customers.erased_among(ids)
            if erased:
                mark(settings.models, path, erased=len(erased), at=now())
            Console().print(f"{path}: {len(erased)} of {len(ids)} messages were removed", soft_wrap=True)
    for version in Registry(settings.models).versions():
        if version.trained_on_erased:
            named = ", ".join(version.trained_on_erased)
            Console().print(f"model {version.id} was trained on {named}: train it again without them", soft_wrap=True)


@app.command("erase-customer")
def erase_customer(
    customer_id: str = typer.Argument(help="The hub's customer id."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
) -> None:
    """Remove a customer's messages, labellings, embeddings and all that refers to them; the proof of it stays.

    Example: nlp-service db erase-customer c-1001
    """
    if not yes:
        typer.confirm(f"Remove everything of customer {customer_id!r} for good?", abort=True)
    with open_database(Settings()) as database:
        erased = Customers(database).erase(customer_id, by=BY)
    Console().print(f"{erased.messages} messages of customer {customer_id!r} are removed")
