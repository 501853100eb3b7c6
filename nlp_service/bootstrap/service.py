"""The parts of a serving process put together, opened and closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from nlp_service.adapters.batching import Batcher
from nlp_service.adapters.db.audit import AuditLog
from nlp_service.adapters.db.corrections import Corrections
from nlp_service.adapters.db.customers import Customers
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.folding import Folding
from nlp_service.adapters.db.housekeeping import Housekeeping
from nlp_service.adapters.db.jobs import Jobs
from nlp_service.adapters.db.keys import Keys
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.db.policies import Policies
from nlp_service.adapters.db.reports import Reports
from nlp_service.adapters.db.retention import Retention
from nlp_service.adapters.db.themes import Themes
from nlp_service.adapters.examples import BundledExamples
from nlp_service.adapters.gate import Gate
from nlp_service.adapters.limiter import Limiter
from nlp_service.adapters.metrics import Metrics
from nlp_service.adapters.oidc_sign_in import OidcSignIn
from nlp_service.adapters.policy_in_force import PolicyInForce
from nlp_service.adapters.registry import Registry
from nlp_service.adapters.themes_index import ThemeIndex
from nlp_service.adapters.traces import Traces
from nlp_service.adapters.watching import Watcher
from nlp_service.adapters.words import word_spans
from nlp_service.bootstrap.delivery import Delivery, serve_delivery
from nlp_service.bootstrap.learning import follow_drift, follow_intents, follow_shadow, train_job
from nlp_service.bootstrap.parts import (
    job_handlers,
    load_model,
    load_model_and_language,
    now,
    open_database,
    open_messages,
    open_mine,
    open_oidc,
    open_policy,
    open_sealer,
    open_sign_in,
    open_themes,
    require_key,
    retention_rules,
)
from nlp_service.bootstrap.review import Review, serve_review
from nlp_service.contract.bundle import read_accepted
from nlp_service.core.policy import Policy, load_policy
from nlp_service.errors import ConfigurationError
from nlp_service.flows.change_intents import ChangeIntents
from nlp_service.flows.classify import Classify
from nlp_service.flows.explain import Explain
from nlp_service.flows.jobs import JobRunner
from nlp_service.flows.mine import Mine, MineJob
from nlp_service.flows.steer import Steer
from nlp_service.flows.watch_drift import WatchDrift
from nlp_service.ports import Model
from nlp_service.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Service:
    """Everything that a serving process holds."""

    settings: Settings
    metrics: Metrics
    database: Database
    batcher: Batcher
    messages: Messages
    keys: Keys
    gate: Gate
    sign_in: OidcSignIn | None  # None: people sign in with a key alone
    audit: AuditLog
    personal: Customers
    jobs: Jobs
    classify: Classify
    explain: Explain
    delivery: Delivery | None  # None: no encryption key for the secrets of subscriptions
    themes: Themes
    steer: Steer
    mine: Mine
    policies: Policies
    policy: PolicyInForce
    reports: Reports
    traces: Traces | None  # None: switched off
    review: Review
    intents: ChangeIntents
    drift: WatchDrift

    @property
    def model(self) -> Model:
        return self.batcher.model


class Served:
    """What changes together when another model is accepted: its examples go with the model."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.examples = self._examples()

    def swap(self, batcher: Batcher, metrics: Metrics) -> None:
        """Load the accepted bundle, warm it up and send new requests to it.

        Raises:
            ConfigurationError: it does not load, or has other labels than the policy was read for.
        """
        model = load_model(self._settings)
        serving, offered = batcher.model.taxonomy.fingerprint, model.taxonomy.fingerprint
        if serving != offered:
            raise ConfigurationError(
                f"model {model.identity.version} has taxonomy {offered}, serving {serving}: restart"
            )
        model.warm_up()
        self.examples = self._examples()
        batcher.swap(model)
        metrics.serving(model.identity)

    def _examples(self) -> BundledExamples | None:
        return BundledExamples.load(read_accepted(self._settings.models))


@contextmanager
def open_service(settings: Settings) -> Iterator[Service]:
    """Open everything, warmed up; close in reverse order, storing what was answered."""
    metrics = Metrics()
    model, identify = load_model_and_language(settings)
    first_policy = open_policy(settings, model.taxonomy)
    with ExitStack() as closing:
        database = closing.enter_context(open_database(settings))
        keys = Keys(database)
        require_key(settings, keys)
        _keep_house(settings, database, closing)
        policy = _follow_policy(database, model, first_policy, closing)
        model.warm_up()
        metrics.serving(model.identity)
        batcher = Batcher(
            model, queue_tokens=settings.queue_tokens, cache_entries=settings.cache_entries, observer=metrics
        )
        served = _follow_model(settings, batcher, metrics, closing)
        messages = open_messages(settings, database)
        themes, index = _hold_themes(settings, database, model, closing)
        mine = _open_mine(settings, database, messages, themes, batcher)
        steer = Steer(themes=themes, now=now)
        delivery = closing.enter_context(
            serve_delivery(
                settings,
                database,
                decisions=steer,
                departments=model.taxonomy.departments,
                attempted=metrics.delivery.attempted,
            )
        )
        jobs = _run_jobs(settings, database, mine, closing)
        intents, changed = follow_intents(database, batcher, lambda: served.examples, closing)
        live = Classify(scorer=batcher, identify=identify, policy=policy, now=now, store=messages, themes=index)
        shadow = follow_shadow(settings, database, policy, closing)
        yield Service(
            settings=settings,
            metrics=metrics,
            database=database,
            batcher=batcher,
            messages=messages,
            keys=keys,
            audit=AuditLog(database),
            personal=Customers(database, sealer=open_sealer(settings)),
            gate=_open_gate(settings, keys),
            sign_in=open_sign_in(settings),
            jobs=jobs,
            classify=replace(live, changed=changed.of, watch=shadow.see),
            delivery=delivery,
            policies=Policies(database),
            policy=policy,
            reports=Reports(database),
            traces=_open_traces(settings, closing),
            explain=Explain(scorer=batcher, words=word_spans, examples=lambda: served.examples),
            themes=themes,
            steer=steer,
            mine=mine,
            review=closing.enter_context(serve_review(settings, database, messages, lambda: batcher.model)),
            intents=intents,
            drift=follow_drift(settings, database, batcher, metrics, closing),
        )


def _hold_themes(settings: Settings, database: Database, model: Model, closing: ExitStack) -> tuple[Themes, ThemeIndex]:
    """Open the themes and hold them in memory, for matching within the request."""
    themes = open_themes(settings, database)
    index = ThemeIndex(themes, scope_threshold=model.calibration.scope_threshold)
    closing.callback(index.close)
    index.start(model.identity)
    return themes, index


def _keep_house(settings: Settings, database: Database, closing: ExitStack) -> None:
    """Remove what was kept long enough and fold counts, now and then."""
    for keeper in (Housekeeping(Retention(database), retention_rules(settings)), Folding(database)):
        keeper.start()
        closing.callback(keeper.close)


def _open_traces(settings: Settings, closing: ExitStack) -> Traces | None:
    if settings.traces_endpoint is None:
        return None
    traces = Traces.open(settings.traces_endpoint)
    closing.callback(traces.close)
    return traces


def _open_gate(settings: Settings, keys: Keys) -> Gate:
    limiter = Limiter(settings.rate_per_minute)
    return Gate(keys, on_loopback=settings.on_loopback, oidc=open_oidc(settings), limiter=limiter)


def _follow_policy(database: Database, model: Model, first: Policy, closing: ExitStack) -> PolicyInForce:
    """Take on the newest saved policy, now and whenever one is saved."""
    policy = PolicyInForce(
        Policies(database), load=lambda text, where: load_policy(text, model.taxonomy, where=where), first=first
    )
    closing.callback(policy.close)
    policy.start()
    return policy


def _follow_model(settings: Settings, batcher: Batcher, metrics: Metrics, closing: ExitStack) -> Served:
    """Swap to another model whenever one is accepted."""
    served = Served(settings)
    watcher = Watcher(
        Registry(settings.models), lambda: served.swap(batcher, metrics), seconds=settings.model_poll_seconds
    )
    closing.callback(watcher.close)
    watcher.start()
    return served


def _open_mine(settings: Settings, database: Database, messages: Messages, themes: Themes, batcher: Batcher) -> Mine:
    """Mining that lets people's labels count, and the served model read what an earlier one had placed."""
    model = batcher.model
    return open_mine(
        settings,
        messages,
        themes,
        model.taxonomy,
        scope_threshold=model.calibration.scope_threshold,
        corrections=Corrections(database),
        served=lambda: batcher.model,
    )


def _run_jobs(settings: Settings, database: Database, mine: Mine, closing: ExitStack) -> Jobs:
    """Carry out queued jobs in this process."""
    jobs = Jobs(database)
    runner = JobRunner(jobs, {**job_handlers(settings), "mine": MineJob(mine=mine)}, now=now)
    closing.callback(runner.close)
    runner.start()
    if settings.training_jobs:  # beside the others: half an hour of training must not hold them up
        trainer = JobRunner(jobs, {"train": train_job(settings)}, now=now)
        closing.callback(trainer.close)
        trainer.start()
    return jobs
