"""Bring a database to the schema of this release; safe when several replicas start at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import URL, Connection, inspect, text

from nlp_service.adapters.db import engines
from nlp_service.adapters.db.failures import translate
from nlp_service.errors import ConfigurationError, StorageUnavailable

if TYPE_CHECKING:  # alembic takes a fifth of a second to import: only a database that is behind needs it
    from alembic.config import Config
    from alembic.script import ScriptDirectory

T = TypeVar("T")
_LOCK = 7_303_014  # the advisory lock that migrating replicas share on PostgreSQL

_VERSIONS = Path(__file__).parent / "versions"
_TABLE = "alembic_version"


def migrate(url: str, *, target: str = "head") -> str:
    """Apply what is missing, in one transaction, and return the revision reached; creates a SQLite file.

    Raises:
        ConfigurationError: the database was written by a newer release; both revisions are named.
        StorageUnavailable: it cannot be reached, created or written.
    """
    parsed = engines.parse(url)
    _prepare_folder(parsed)

    def upgrade(connection: Connection) -> str:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        if target == "head" and _revision(connection) == head():
            return head()
        from alembic import command

        _refuse_newer(connection, parsed)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, target)
        return _revision(connection) or "none"

    return _in_transaction(parsed, upgrade)


def current(url: str) -> str | None:
    """Return the revision of a database, None where nothing was migrated; raises StorageUnavailable."""
    parsed = engines.parse(url)
    path = engines.sqlite_path(parsed)
    if path is not None and not path.is_file():
        return None
    return _in_transaction(parsed, _revision)


def head() -> str:
    """Return the newest revision that this release knows."""
    numbers = [path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*_*.py")]  # a name begins with its revision
    if not numbers:
        raise ConfigurationError("this installation holds no migrations: install the package again")
    return max(numbers)


def _in_transaction(url: URL, function: Callable[[Connection], T]) -> T:
    engine = engines.migrating_engine(url)
    try:
        with engine.begin() as connection:
            return function(connection)
    except Exception as exc:
        translated = translate(exc, engines.shown(url))
        if translated is exc:
            raise
        raise translated from exc
    finally:
        engine.dispose()


def _refuse_newer(connection: Connection, url: URL) -> None:
    revision = _revision(connection)
    known = {script.revision for script in _scripts().walk_revisions()}
    if revision is not None and revision not in known:
        raise ConfigurationError(
            f"database {engines.shown(url)} is at revision {revision}, this release knows up to {head()}: "
            "install the release that wrote it, or restore a backup"
        )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_TABLE):
        return None
    revision: str | None = connection.execute(text(f"SELECT version_num FROM {_TABLE}")).scalar()  # noqa: S608  # ours
    return revision


def _scripts() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _prepare_folder(url: URL) -> None:
    """Create the last folder of a SQLite path; further ones missing are more likely a typing error."""
    path = engines.sqlite_path(url)
    if path is None:
        return
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as exc:
        raise StorageUnavailable(
            f"folder {path.parent} of database {engines.shown(url)} cannot be created: {exc.strerror}"
        ) from exc
