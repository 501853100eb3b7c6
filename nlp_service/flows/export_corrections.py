"""Make a corpus of what people said: settled labels, masked texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nlp_service.contract.corpus import Record
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.audit import pseudonym
from nlp_service.core.corrections.settle import Settled, settle
from nlp_service.core.stored import StoredMessage
from nlp_service.errors import NotFound
from nlp_service.ports import MessageStore
from nlp_service.ports.review import CorrectionStore

SOURCE = "corrections"


@dataclass(frozen=True, kw_only=True)
class ExportCorrections:
    """Disputed fields are left out until they are resolved."""

    messages: MessageStore
    corrections: CorrectionStore
    taxonomy: Taxonomy
    licence: str = ""  # what the operator says of their own customers' messages

    def __call__(self) -> Iterator[Record]:
        """Yield a record a message of which any field is settled; the id is the message's."""
        for own in self.corrections.everything():
            settled = settle(own)
            labels = settled.labels.given()
            if not labels.keys() - {"theme"}:
                continue
            try:
                stored = self.messages.get(settled.message_id)
            except NotFound:  # its customer was removed meanwhile
                continue
            yield self._record(stored, settled)

    def _record(self, stored: StoredMessage, settled: Settled) -> Record:
        message, labels = stored.message, settled.labels
        customer = message.customer_id
        language = stored.labellings[0].language.code if stored.labellings else "und"
        return Record(
            text=message.text,
            id=message.id,
            context=message.context,
            lang=language,
            source=SOURCE,
            licence=self.licence,
            # Messages of one customer tell of one matter: they are never split between training and evaluation.
            dialogue=None if customer is None else pseudonym("customer", customer),
            intent=labels.intent,
            sentiment=None if labels.sentiment is None else self.taxonomy.sentiments[labels.sentiment],
            emotion=labels.emotion,
            flags=labels.flags,
            priority=labels.priority,
        )
