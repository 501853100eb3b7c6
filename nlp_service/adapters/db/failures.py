"""The one place where errors of the database drivers become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from nlp_service.errors import Conflict, StorageUnavailable

_MIGRATE = "run `nlp-service db migrate`"
_BY_SQLITE_CODE = {  # prefix of sqlite3's error name -> what it means and what to do
    "SQLITE_BUSY": "is locked by another process: stop the other writer or use PostgreSQL",
    "SQLITE_LOCKED": "is locked by another connection: try again",
    "SQLITE_READONLY": "cannot be written: the file, its folder or the disk is read-only",
    "SQLITE_PERM": "cannot be written: no permission",
    "SQLITE_CANTOPEN": "cannot be opened: the folder is missing or not accessible",
    "SQLITE_FULL": "cannot grow: the disk is full. What was acknowledged is kept; free space and try again",
    "SQLITE_IOERR": "cannot be read or written: the disk reports an error",
    "SQLITE_CORRUPT": "is damaged: restore a backup with `nlp-service db restore`",
    "SQLITE_NOTADB": "is not a SQLite database: check the path",
}
_BY_SQLSTATE = {  # prefix of PostgreSQL's code
    "08": "lost its connection",
    "25006": "cannot be written: the server is read-only (a standby?)",
    "28": "refuses the login: check user and password",
    "3D": "does not exist on the server: create it",
    "40": "was asked for the same rows by two writers at once: try again",
    "42P01": f"lacks a table: {_MIGRATE}",
    "42703": f"lacks a column: {_MIGRATE}",
    "53100": "cannot grow: the server's disk is full",
    "53300": "has no connection left: raise max_connections or lower the number of replicas",
    "57P": "is shutting down or starting up",
}


def translate(exc: Exception, name: str) -> Exception:
    """Return StorageUnavailable for whatever is the store's fault, with its cause chained; else ``exc`` itself."""
    meaning = _meaning(exc)
    if meaning is None:
        return exc
    unavailable = StorageUnavailable(f"database {name} {meaning}")
    unavailable.__cause__ = exc
    return unavailable


def lost(exc: Exception) -> bool:
    """Tell whether the connection itself has gone."""
    return isinstance(exc, DBAPIError) and exc.connection_invalidated


def collided(exc: BaseException | None) -> bool:
    """Tell whether two PostgreSQL transactions stood in each other's way (deadlock): one may try again."""
    return isinstance(exc, DBAPIError) and str(getattr(exc.orig, "sqlstate", None) or "").startswith("40")


@contextmanager
def conflict_on_duplicate(detail: str) -> Iterator[None]:
    """Turn the violation of a unique constraint inside the block into Conflict(detail)."""
    try:
        yield
    except IntegrityError as exc:
        if _is_duplicate(exc):
            raise Conflict(detail) from exc
        raise


def _meaning(exc: Exception) -> str | None:
    if isinstance(exc, PoolTimeout):
        return "has all its connections busy: try again, or raise the pool size"
    if not isinstance(exc, DBAPIError):
        return None
    sqlstate = str(getattr(exc.orig, "sqlstate", None) or "")
    sqlite_code = str(getattr(exc.orig, "sqlite_errorname", None) or "")
    for code, table in ((sqlstate, _BY_SQLSTATE), (sqlite_code, _BY_SQLITE_CODE)):
        for prefix, meaning in table.items():
            if code.startswith(prefix):
                return meaning
    first_line = str(exc.orig).partition("\n")[0]
    if sqlite_code:
        return f"lacks a table or column ({first_line}): {_MIGRATE}" if "no such " in first_line else None
    if isinstance(exc, OperationalError | InterfaceError):
        return f"cannot be reached or used: {first_line}"
    return None


def _is_duplicate(exc: IntegrityError) -> bool:
    sqlite_code = str(getattr(exc.orig, "sqlite_errorname", ""))
    return getattr(exc.orig, "sqlstate", None) == "23505" or sqlite_code in {
        "SQLITE_CONSTRAINT_UNIQUE",
        "SQLITE_CONSTRAINT_PRIMARYKEY",
    }
