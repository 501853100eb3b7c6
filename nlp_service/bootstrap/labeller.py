"""Labelling without a server or a database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from nlp_service.bootstrap.parts import load_model_and_language, now, open_policy
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.decision import IdentifyLanguage, Judge, decide, prepare
from nlp_service.core.history import CustomerHistory
from nlp_service.core.labelling import Labelling
from nlp_service.core.messages import Message
from nlp_service.core.policy import load_policy
from nlp_service.flows.classify import judge_of
from nlp_service.ports import Model
from nlp_service.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Labeller:
    """Labels many messages without a server or a database: the command line and bulk jobs."""

    model: Model
    judge: Judge
    identify: IdentifyLanguage
    now: Callable[[], datetime] = now

    @property
    def taxonomy(self) -> Taxonomy:
        return self.model.taxonomy

    def label(self, messages: Sequence[Message], histories: Sequence[CustomerHistory] | None = None) -> list[Labelling]:
        """Return one labelling per message, in order; without histories nothing is known of the customers."""
        if not messages:
            return []
        prepared = [prepare(message, self.identify) for message in messages]
        scores = self.model.score([item.segments for item in prepared])
        histories = histories or [CustomerHistory(customer_id=message.customer_id) for message in messages]
        at = self.now()
        decided = decide(prepared, scores, histories, self.judge, at=at)
        return [replace(labelling, created_at=at) for labelling in decided]


def open_labeller(settings: Settings, *, bundle: Path | None = None, policy: str | None = None) -> Labeller:
    """Load a bundle and a policy; raises ConfigurationError saying what does not fit.

    Args:
        settings: name the models and the policy.
        bundle: instead of the accepted one.
        policy: YAML, instead of the one that the settings name.
    """
    model, identify = load_model_and_language(settings, bundle)
    if policy is None:
        chosen = open_policy(settings, model.taxonomy)
    else:
        chosen = load_policy(policy, model.taxonomy, where="the policy given")
    return Labeller(
        model=model,
        judge=judge_of(model, chosen),
        identify=identify,
    )
