"""Every table of the service, one file an area; the migrations create them, these definitions query them."""

from nlp_service.adapters.db.tables.access import api_keys, audit_anchor, audit_log, erased_messages
from nlp_service.adapters.db.tables.base import metadata
from nlp_service.adapters.db.tables.messages import labellings, messages

__all__ = ["api_keys", "audit_anchor", "audit_log", "erased_messages", "labellings", "messages", "metadata"]
