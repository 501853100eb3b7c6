"""Label messages as they come: prepare, score, decide, match themes, store, answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.changed_labels import ChangedLabels
from nlp_service.core.decision import IdentifyLanguage, Judge, decide, prepare
from nlp_service.core.history import CustomerHistory
from nlp_service.core.labelling import Labelling, ThemeMatch
from nlp_service.core.messages import Message
from nlp_service.core.policy import Policy
from nlp_service.ports import MessageStore, Model, Scorer, ThemeMatcher

Watch = Callable[[Sequence[Message], Sequence[Labelling], Sequence[CustomerHistory]], None]
HISTORY = timedelta(days=90)  # how far back repeat rules and customer tags look


@dataclass(frozen=True, kw_only=True)
class Classified:
    labellings: list[Labelling]
    model: Model
    taxonomy: Taxonomy  # the model's, with what people changed since
    stages: Mapping[str, float]  # seconds by stage: queue, tokenise, infer, decide, store


def judge_of(model: Model, policy: Policy, changed: ChangedLabels | None = None) -> Judge:
    return Judge(
        model=model.identity, taxonomy=model.taxonomy, calibration=model.calibration, policy=policy, changed=changed
    )


@dataclass(frozen=True, kw_only=True)
class Classify:
    scorer: Scorer
    identify: IdentifyLanguage
    policy: Callable[[], Policy]  # the policy in force now
    now: Callable[[], datetime]
    store: MessageStore | None = None  # None: nothing is kept and no history is known
    themes: ThemeMatcher | None = None
    watch: Watch = lambda _messages, _labellings, _histories: None  # a shadow; never blocks
    changed: Callable[[Model], ChangedLabels | None] = lambda _: None  # labels that people changed

    async def __call__(self, messages: Sequence[Message]) -> Classified:
        """Return one labelling per message, in order, after they were stored.

        Raises:
            Overloaded: the queue is full; nothing was stored.
            StorageUnavailable: labelled, but not stored; the caller may send again under the same ids.
        """
        at = self.now()
        started = time.perf_counter()
        prepared = [prepare(message, self.identify) for message in messages]
        ready = time.perf_counter()
        scored, histories = await asyncio.gather(
            self.scorer.score([item.segments for item in prepared]), self._histories(messages, at)
        )
        scored_at = time.perf_counter()
        changed = self.changed(scored.model)
        judge = judge_of(scored.model, self.policy(), changed)
        labellings = [
            replace(labelling, created_at=at, themes=self._matches(labelling))
            for labelling in decide(prepared, scored.scores, histories, judge, at=at)
        ]
        decided = time.perf_counter()
        if self.store is not None:
            await asyncio.wrap_future(self.store.save(list(zip(messages, labellings, strict=True))))
            self.watch(messages, labellings, histories)
        stages = {
            "prepare": ready - started,
            **scored.stages,
            "decide": decided - scored_at,
            "store": time.perf_counter() - decided,
        }
        taxonomy = scored.model.taxonomy if changed is None else changed.taxonomy
        return Classified(labellings=labellings, model=scored.model, taxonomy=taxonomy, stages=stages)

    async def _histories(self, messages: Sequence[Message], at: datetime) -> list[CustomerHistory]:
        """Return each message's customer history without the message itself."""
        customers = list(dict.fromkeys(message.customer_id for message in messages if message.customer_id))
        known: Mapping[str, CustomerHistory] = {}
        if self.store is not None and customers:
            known = await asyncio.to_thread(self.store.histories, customers, since=at - HISTORY)
        return [_without(known.get(message.customer_id or ""), message) for message in messages]

    def _matches(self, labelling: Labelling) -> tuple[ThemeMatch, ...]:
        return self.themes.match(labelling) if self.themes is not None else ()


def _without(history: CustomerHistory | None, message: Message) -> CustomerHistory:
    if history is None:
        return CustomerHistory(customer_id=message.customer_id)
    return replace(history, messages=tuple(past for past in history.messages if past.message_id != message.id))
