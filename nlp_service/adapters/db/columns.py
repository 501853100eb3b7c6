"""Column types and SQL functions that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Insert, Integer, LargeBinary, String, Table, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from nlp_service.core.labelling import FloatArray

# 64-bit key that counts up; SQLite needs its own INTEGER for that.
Serial = BigInteger().with_variant(Integer, "sqlite")
Document = JSON().with_variant(postgresql.JSONB, "postgresql")


class Instant(TypeDecorator[datetime]):
    """An aware moment, kept in UTC; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment without time zone cannot be stored: {value.isoformat()}")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Embedding(TypeDecorator[FloatArray]):
    """A float32 vector (d,), kept as little-endian float16: half a thousandth of error in a cosine."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: FloatArray | None, dialect: Dialect) -> bytes | None:
        return None if value is None else np.asarray(value, dtype="<f2").tobytes()

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> FloatArray | None:
        return None if value is None else np.frombuffer(value, dtype="<f2").astype(np.float32)


class StoredText(TypeDecorator[str]):
    """Text of any length; what no database can hold (NUL, lone surrogates) becomes U+FFFD, offsets stay."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class Word(TypeDecorator[str]):
    """A short identifier or name, with the same replacement."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Replace one by one the characters that neither database can hold."""
    return _UNSTORABLE.sub("\ufffd", text)


class hour_start(FunctionElement[datetime]):  # noqa: N801  # a SQL function
    """The start of the UTC hour of an Instant column."""

    type = Instant()
    inherit_cache = True
    name = "hour_start"


@compiles(hour_start, "sqlite")
def _sqlite_hour(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return f"substr({compiler.process(element.clauses, **options)}, 1, 13) || ':00:00.000000'"


@compiles(hour_start, "postgresql")
def _postgresql_hour(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return f"date_trunc('hour', {compiler.process(element.clauses, **options)}, 'UTC')"


class day_start(FunctionElement[datetime]):  # noqa: N801  # a SQL function
    """The start of the UTC day of an Instant column."""

    type = Instant()
    inherit_cache = True
    name = "day_start"


@compiles(day_start, "sqlite")
def _sqlite_day(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return f"substr({compiler.process(element.clauses, **options)}, 1, 10) || ' 00:00:00.000000'"


@compiles(day_start, "postgresql")
def _postgresql_day(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return f"date_trunc('day', {compiler.process(element.clauses, **options)}, 'UTC')"


def insert_new(table: Table, dialect: str) -> Insert:
    """An INSERT that passes over rows whose key is already there."""
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
