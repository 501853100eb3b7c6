"""Every table of the service, one file an area; the migrations create them, these definitions query them."""

from nlp_service.adapters.db.tables.access import api_keys, audit_anchor, audit_log, erased_messages
from nlp_service.adapters.db.tables.base import metadata
from nlp_service.adapters.db.tables.corrections import corrections, review_queue
from nlp_service.adapters.db.tables.counts import count_changes, hourly_counts
from nlp_service.adapters.db.tables.delivery import (
    attempts,
    deliveries,
    delivery_events,
    outbox,
    subscriptions,
    tickets,
)
from nlp_service.adapters.db.tables.jobs import jobs
from nlp_service.adapters.db.tables.learning import (
    drift_weeks,
    label_moves,
    provisional_intents,
    shadow_answers,
    shadows,
)
from nlp_service.adapters.db.tables.messages import labellings, messages
from nlp_service.adapters.db.tables.policies import policies
from nlp_service.adapters.db.tables.themes import (
    leases,
    theme_anchors,
    theme_events,
    theme_members,
    theme_spaces,
    theme_windows,
    themes,
)

__all__ = [
    "api_keys",
    "attempts",
    "audit_anchor",
    "audit_log",
    "corrections",
    "count_changes",
    "deliveries",
    "delivery_events",
    "drift_weeks",
    "erased_messages",
    "hourly_counts",
    "jobs",
    "label_moves",
    "labellings",
    "leases",
    "messages",
    "metadata",
    "outbox",
    "policies",
    "provisional_intents",
    "review_queue",
    "shadow_answers",
    "shadows",
    "subscriptions",
    "theme_anchors",
    "theme_events",
    "theme_members",
    "theme_spaces",
    "theme_windows",
    "themes",
    "tickets",
]
