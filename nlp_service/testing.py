"""Fakes that ship with the product: what a user of the library, and our own tests, put in place of the real parts.

They pass the same conformance suite as the real adapters.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from nlp_service.contract.calibration import Abstention, Calibration
from nlp_service.contract.encode import Reading
from nlp_service.contract.encode import Window as EncodedWindow
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.contract.text import normalise
from nlp_service.core.history import CustomerHistory, PastMessage
from nlp_service.core.labelling import FloatArray, Labelling, ModelIdentity, Scores
from nlp_service.core.messages import Message
from nlp_service.core.overview import NEGATIVE, URGENT
from nlp_service.core.stored import GroupCount, HourCount, LabelledMessage, LabelledPage, StoredMessage, Window
from nlp_service.errors import NotFound
from nlp_service.ports import MessageStore, Segments

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday morning
LANGUAGES = ("zh", "en", "ja", "ko", "es", "de", "fr", "ru", "pt", "th", "vi", "id", "ar")
HISTORY_LIMIT = 200
_BUCKETS = 4096


class FixedClock:
    """A clock that moves when told; call it for the time."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


class FakeModel:
    """ports.Model by hashed character pairs: the same text gives the same scores, similar texts similar ones."""

    def __init__(
        self, taxonomy: Taxonomy, *, version: str = "0.0.1", size: int = 64, max_characters: int = 2000
    ) -> None:
        self.taxonomy = taxonomy
        self.identity = ModelIdentity(name="fake", version=version)
        self.languages = LANGUAGES
        self.calibration = Calibration(
            temperatures=dict.fromkeys(("intent", "sentiment", "emotion", "flags", "priority", "scope"), 1.0),
            flag_thresholds=dict.fromkeys(taxonomy.flags, 0.9),
            scope_threshold=0.95,
            abstention=(Abstention(threshold=0.05, target_accuracy=0.95, risk_level=0.1, coverage=0.9, accuracy=0.95),),
        )
        self._max_characters = max_characters
        random = np.random.default_rng(zlib.crc32(version.encode()))
        self._vectors = random.standard_normal((_BUCKETS, size)).astype(np.float32)
        widths = {
            "intent": len(taxonomy.intents),
            "sentiment": len(taxonomy.sentiments),
            "emotion": len(taxonomy.emotions),
            "flags": len(taxonomy.flags),
            "priority": len(taxonomy.priorities),
            "scope": 1,
        }
        self._heads = {
            head: 4 * random.standard_normal((size, width)).astype(np.float32) for head, width in widths.items()
        }

    def score(self, segments: Sequence[Segments]) -> Scores:
        """Score n messages in order."""
        size = self._vectors.shape[1]
        rows = [self._embed(message) + 0.25 * self._embed(context) for message, context in segments]
        embedding = np.stack(rows) if rows else np.zeros((0, size), dtype=np.float32)
        embedding /= np.maximum(np.linalg.norm(embedding, axis=1, keepdims=True), 1e-9)
        logits = {head: embedding @ weights for head, weights in self._heads.items()}
        return Scores(
            intent=logits["intent"],
            sentiment=logits["sentiment"],
            emotion=logits["emotion"],
            flags=logits["flags"],
            priority=logits["priority"],
            scope=logits["scope"][:, 0] - 4,
            embedding=embedding,
            truncated=np.array([len(message) > self._max_characters for message, _ in segments], dtype=np.bool_),
        )

    def _embed(self, text: str) -> FloatArray:
        framed = f"^{text[: self._max_characters]}$" if text else ""
        pairs = Counter(zlib.crc32(framed[i : i + 2].encode("utf-8", "replace")) % _BUCKETS for i in range(len(framed)))
        total = np.zeros(self._vectors.shape[1], dtype=np.float32)
        for bucket, count in pairs.items():
            total += np.float32(count) * self._vectors[bucket]
        return total / np.float32(max(len(framed), 1))


class FakeEngine(FakeModel):
    """adapters.batching.Engine: a FakeModel whose steps can be taken one by one, each long message in windows.

    A window's token ids are the code points of both segments.
    """

    def __init__(
        self, taxonomy: Taxonomy, *, version: str = "0.0.1", size: int = 64, window: int = 64, concurrency: int = 2
    ) -> None:
        super().__init__(taxonomy, version=version, size=size)
        self.concurrency = concurrency
        self._window = window

    def score(self, segments: Sequence[Segments]) -> Scores:
        """Score n messages in order, as a batcher would."""
        readings = self.tokenise(segments)
        rows = [self.combine(reading, self.infer(reading.windows)) for reading in readings]
        return self.unpack(np.stack(rows), [reading.truncated for reading in readings]) if rows else super().score([])

    def tokenise(self, segments: Sequence[Segments]) -> list[Reading]:
        return [self._read(message, context) for message, context in segments]

    def infer(self, windows: Sequence[EncodedWindow]) -> FloatArray:
        texts = [("".join(map(chr, item.ids[: item.boundary])), _after(item)) for item in windows]
        scores = super().score(texts)
        heads = (scores.intent, scores.sentiment, scores.emotion, scores.flags, scores.priority)
        return np.concatenate([*heads, scores.scope[:, None], scores.embedding], axis=1)

    def combine(self, reading: Reading, rows: FloatArray) -> FloatArray:
        assert len(reading.windows) == len(rows)
        return np.asarray(rows.mean(axis=0), dtype=np.float32)

    def unpack(self, rows: FloatArray, truncated: Sequence[bool]) -> Scores:
        ends = np.cumsum([weights.shape[1] for weights in self._heads.values()])
        parts = dict(zip([*self._heads, "embedding"], np.split(rows, ends, axis=1), strict=True))
        return Scores(**{**parts, "scope": parts["scope"][:, 0]}, truncated=np.array(truncated, dtype=np.bool_))

    def _read(self, message: str, context: str) -> Reading:
        if len(message) <= self._window:
            ids = [ord(char) for char in message + context]
            return Reading((EncodedWindow(ids, len(message)),), truncated=False)
        starts = range(0, len(message), self._window)
        pieces = [[ord(char) for char in message[start : start + self._window]] for start in starts]
        return Reading(tuple(EncodedWindow(piece, len(piece)) for piece in pieces), truncated=False)


def _after(window: EncodedWindow) -> str:
    return "".join(map(chr, window.ids[window.boundary :]))


class MemoryMessages:
    """ports.MessageStore in memory."""

    def __init__(
        self,
        *,
        mask: Callable[[str], str] = lambda text: text,
        keep_raw_text: bool = False,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._mask = mask
        self._keep_raw_text = keep_raw_text
        self._clock = clock or FixedClock()
        self._messages: dict[str, StoredMessage] = {}
        self._raw: dict[str, str] = {}
        self.failure: Exception | None = None  # set it to see what callers do when storing fails

    def save(self, labelled: Sequence[tuple[Message, Labelling]]) -> Future[None]:
        """Store each message once per id and each labelling once per message and model version."""
        future: Future[None] = Future()
        if self.failure is not None:
            future.set_exception(self.failure)
            return future
        for message, labelling in labelled:
            self._store(message, labelling)
        future.set_result(None)
        return future

    def histories(self, customers: Sequence[str], *, since: datetime) -> Mapping[str, CustomerHistory]:
        """Current labellings of these customers' newest messages since a time."""
        found = {}
        for customer in customers:
            newest = [stored for stored in self._of(customer) if stored.occurred_at >= since][:HISTORY_LIMIT]
            if newest:
                past = tuple(_past(stored) for stored in reversed(newest))
                found[customer] = CustomerHistory(customer_id=customer, messages=past)
        return found

    def get(self, message_id: str) -> StoredMessage:
        """Return a message with all its labellings; raises NotFound."""
        if message_id not in self._messages:
            raise NotFound(f"no message {message_id!r} is stored")
        return self._messages[message_id]

    def customer(self, customer_id: str, *, limit: int = HISTORY_LIMIT) -> tuple[StoredMessage, ...]:
        """Return a customer's newest messages, newest first; raises NotFound for one never seen."""
        found = self._of(customer_id)[:limit]
        if not found:
            raise NotFound(f"no message of customer {customer_id!r} is stored")
        return tuple(found)

    def raw_text(self, message_id: str) -> str | None:
        """Return the text as it was sent, None where it was not kept; raises NotFound."""
        self.get(message_id)
        return self._raw.get(message_id)

    def models(self, window: Window) -> Mapping[ModelIdentity, int]:
        """Count the messages of a window that each model version has labelled."""
        return Counter(labelling.model for stored in self._inside(window) for labelling in stored.labellings)

    def labelled(self, window: Window, *, model: ModelIdentity, page: int = 2000) -> Iterator[LabelledPage]:
        """Stream what one model version said of a window's messages, ascending time, in pages."""
        rows = [
            (stored, labelling)
            for stored in sorted(self._inside(window), key=lambda stored: stored.occurred_at)
            for labelling in stored.labellings
            if labelling.model == model
        ]
        for start in range(0, len(rows), page):
            part = rows[start : start + page]
            embeddings = np.stack([labelling.embedding for _, labelling in part])
            yield LabelledPage(model=model, messages=tuple(_flat(*row) for row in part), embeddings=embeddings)

    def newest(self, window: Window, *, model: ModelIdentity, limit: int = 2000) -> LabelledPage | None:
        """Return what one model version said of a window's newest messages, newest first; None of none."""
        pages = list(self.labelled(window, model=model, page=max(1, len(self._messages))))
        if not pages:
            return None
        messages, embeddings = pages[0].messages[::-1][:limit], pages[0].embeddings[::-1][:limit]
        return LabelledPage(model=model, messages=messages, embeddings=embeddings)

    def stored(self, window: Window, *, page: int = 2000) -> Iterator[StoredMessage]:
        """Stream a window's messages with their labellings, ascending time."""
        yield from sorted(self._inside(window), key=lambda stored: (stored.occurred_at, stored.message.id))

    def _store(self, message: Message, labelling: Labelling) -> None:
        now = self._clock()
        stored = self._messages.get(message.id)
        if stored is None:
            context = tuple(self._mask(turn) for turn in message.context)
            masked = replace(message, text=labelling.masked_text, context=context)
            occurred = message.sent_at or now
            stored = StoredMessage(message=masked, received_at=now, occurred_at=occurred, labellings=())
            if self._keep_raw_text:
                self._raw[message.id] = message.text
        if all(known.model != labelling.model for known in stored.labellings):
            text, created = stored.message.text, labelling.created_at or now
            newest = replace(labelling, masked_text=text, created_at=created)
            stored = replace(stored, labellings=(newest, *stored.labellings))
        self._messages[message.id] = stored

    def _of(self, customer_id: str) -> list[StoredMessage]:
        """Newest first."""
        own = [stored for stored in self._messages.values() if stored.message.customer_id == customer_id]
        return sorted(own, key=lambda stored: (-stored.occurred_at.timestamp(), stored.message.id))

    def _inside(self, window: Window) -> list[StoredMessage]:
        return [stored for stored in self._messages.values() if window.start <= stored.occurred_at < window.end]


def _past(stored: StoredMessage) -> PastMessage:
    labelling = stored.labellings[0]
    return PastMessage(
        message_id=stored.message.id,
        at=stored.occurred_at,
        intent=labelling.labels.intent.label,
        sentiment=labelling.labels.sentiment.label,
        sentiment_score=labelling.labels.sentiment.score,
        flags=tuple(flag.label for flag in labelling.labels.flags),
        priority=labelling.priority.level,
    )


def _flat(stored: StoredMessage, labelling: Labelling) -> LabelledMessage:
    message, labels = stored.message, labelling.labels
    return LabelledMessage(
        message_id=message.id,
        occurred_at=stored.occurred_at,
        text=message.text,
        text_hash=hashlib.blake2b(normalise(message.text).encode(), digest_size=16).hexdigest(),
        channel=message.channel,
        customer_id=message.customer_id,
        customer_tier=message.customer_tier,
        product=message.product,
        region=message.region,
        language=labelling.language.code,
        intent=labels.intent.label,
        intent_confidence=labels.intent.confidence,
        sentiment=labels.sentiment.label,
        sentiment_score=labels.sentiment.score,
        emotion=labels.emotion.label,
        flags=tuple(flag.label for flag in labels.flags),
        priority=labelling.priority.level,
        department=labelling.route.department,
        needs_human=bool(labelling.needs_human),
        out_of_scope=labels.out_of_scope,
    )


class ScannedReports:
    """ports.Reports by reading every message of the window."""

    def __init__(self, messages: MessageStore) -> None:
        self._messages = messages

    def hours(self, window: Window, *, departments: Collection[str] | None = None) -> tuple[HourCount, ...]:
        """Count by hour, ascending."""
        counted: dict[datetime, Counter[str]] = {}
        for stored in self._messages.stored(window):
            if departments is None or stored.labellings[0].route.department in departments:
                hour = stored.occurred_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
                counted.setdefault(hour, Counter()).update(_figures(stored))
        return tuple(HourCount(hour=hour, **_whole(counted[hour])) for hour in sorted(counted))

    def channels(self, window: Window) -> tuple[GroupCount, ...]:
        """Count by department and channel."""
        return self._groups(window, lambda stored: stored.message.channel)

    def intents(self, window: Window) -> tuple[GroupCount, ...]:
        """Count by department and intent."""
        return self._groups(window, lambda stored: stored.labellings[0].labels.intent.label)

    def _groups(self, window: Window, value: Callable[[StoredMessage], str | None]) -> tuple[GroupCount, ...]:
        counted: dict[tuple[str, str | None], Counter[str]] = {}
        for stored in self._messages.stored(window):
            key = (stored.labellings[0].route.department, value(stored))
            counted.setdefault(key, Counter()).update(_figures(stored))
        groups = sorted(counted, key=lambda key: (key[0], key[1] or ""))
        return tuple(GroupCount(department=key[0], value=key[1], **_whole(counted[key])) for key in groups)


def _figures(stored: StoredMessage) -> dict[str, int]:
    labelling = stored.labellings[0]
    return {
        "messages": 1,
        "negative": int(labelling.labels.sentiment.label in NEGATIVE),
        "urgent": int(labelling.priority.level == URGENT),
        "human": int(bool(labelling.needs_human)),
    }


def _whole(counted: Counter[str]) -> dict[str, int]:
    return {name: counted[name] for name in ("messages", "negative", "urgent", "human")}
