"""Weeks of drift in the database: measured from the labellings, kept small, alerts raised once."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, func, select, update

from nlp_service.adapters.db.columns import insert_new
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.tables import labellings
from nlp_service.adapters.db.tables.learning import drift_weeks
from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.drift import WEEK, DriftWeek, Observed
from nlp_service.core.labelling import ModelIdentity
from nlp_service.core.stored import Window

SAMPLE = 2000  # embeddings of a week that its mean is taken over
Publish = Callable[[Connection, ThemeEvent], None]


class DriftWeeks:
    """ports.DriftStore on a database."""

    def __init__(self, database: Database, *, publish: Publish | None = None) -> None:
        self._database = database
        self._publish = publish

    def observe(self, window: Window, model: ModelIdentity) -> Observed:
        """Count what a model said of a week, and take the mean of a sample of its embeddings."""
        return self._database.read(lambda connection: _observe(connection, window, model))

    def weeks(self, model: ModelIdentity, *, limit: int) -> tuple[Observed, ...]:
        """Return the newest kept weeks of a model, oldest first."""
        query = select(drift_weeks).where(*_of(model)).order_by(drift_weeks.c.start.desc()).limit(limit)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(_kept(row) for row in reversed(rows))

    def keep(self, observed: Observed, model: ModelIdentity, *, at: datetime) -> None:
        """Store a week, over what was measured of it before."""
        mean = observed.embedding_mean
        document = {
            "intents": dict(observed.intents),
            "languages": dict(observed.languages),
            "confidence": observed.confidence,
            "deviation": observed.deviation,
            "embedding_mean": None if mean is None else [round(float(value), 6) for value in mean],
            "sampled": observed.sampled,
        }
        values = {"messages": observed.messages, "document": document, "measured_at": at}
        key = {"model_name": model.name, "model_version": model.version, "start": observed.window.start}

        def write(connection: Connection) -> None:
            connection.execute(insert_new(drift_weeks, connection.dialect.name).values(**key, **values))
            start = drift_weeks.c.start == observed.window.start
            connection.execute(update(drift_weeks).where(*_of(model), start).values(**values))

        self._database.transaction(write)

    def alert(self, model: ModelIdentity, week: DriftWeek, *, reason: str, at: datetime) -> bool:
        """Raise a week's alert; the event is queued in the same transaction. False where it was raised already."""

        def write(connection: Connection) -> bool:
            open_ = (drift_weeks.c.start == week.start, drift_weeks.c.alerted_at.is_(None))
            raised = connection.execute(update(drift_weeks).where(*_of(model), *open_).values(alerted_at=at))
            if raised.rowcount != 1:
                return False
            if self._publish is not None:
                self._publish(connection, _event(model, week, reason, at))
            return True

        return self._database.transaction(write)


def _of(model: ModelIdentity) -> tuple[Any, Any]:
    return drift_weeks.c.model_name == model.name, drift_weeks.c.model_version == model.version


def _observe(connection: Connection, window: Window, model: ModelIdentity) -> Observed:
    inside = (
        labellings.c.occurred_at >= window.start,
        labellings.c.occurred_at < window.end,
        labellings.c.model_name == model.name,
        labellings.c.model_version == model.version,
    )
    confidence = labellings.c.intent_confidence
    counted = (
        select(
            labellings.c.intent,
            labellings.c.language,
            func.count().label("n"),
            func.sum(confidence).label("sum"),
            func.sum(confidence * confidence).label("squares"),
        )
        .where(*inside)
        .group_by(labellings.c.intent, labellings.c.language)
    )
    rows = connection.execute(counted).all()
    messages = sum(row.n for row in rows)
    intents: dict[str, int] = {}
    languages: dict[str, int] = {}
    for row in rows:
        intents[row.intent] = intents.get(row.intent, 0) + row.n
        languages[row.language] = languages.get(row.language, 0) + row.n
    mean = sum(row.sum for row in rows) / messages if messages else 0.0
    variance = max(0.0, sum(row.squares for row in rows) / messages - mean * mean) if messages else 0.0
    vectors = []
    if messages:
        step = max(1, messages // SAMPLE)
        sample = select(labellings.c.embedding).where(*inside, labellings.c.id % step == 0).limit(2 * SAMPLE)
        vectors = [row.embedding for row in connection.execute(sample)]
    return Observed(
        window=window,
        messages=messages,
        intents=intents,
        languages=languages,
        confidence=mean,
        deviation=math.sqrt(variance),
        embedding_mean=np.mean(vectors, axis=0, dtype=np.float32) if vectors else None,
        sampled=len(vectors),
    )


def _kept(row: Row[Any]) -> Observed:
    document = row.document
    mean = document["embedding_mean"]
    return Observed(
        window=Window(start=row.start, end=row.start + WEEK),
        messages=row.messages,
        intents=document["intents"],
        languages=document["languages"],
        confidence=document["confidence"],
        deviation=document["deviation"],
        embedding_mean=None if mean is None else np.asarray(mean, dtype=np.float32),
        sampled=document["sampled"],
    )


def _event(model: ModelIdentity, week: DriftWeek, reason: str, at: datetime) -> ThemeEvent:
    """Return the alert in the form in which events leave the service; it belongs to a model, not to a theme."""
    name = f"{model.name} {model.version}"
    return ThemeEvent(
        id=f"drift-{model.name}-{model.version}-{week.start.date().isoformat()}",
        theme_id=f"model {name}",
        kind="drift",
        at=at,
        title=f"{name} · {week.start.date().isoformat()}",
        reason=reason,
        messages=week.messages,
        severity="major",
    )
