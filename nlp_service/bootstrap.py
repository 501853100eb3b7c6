"""The composition root: builds the parts from the settings and puts them together."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from nlp_service.adapters.batching import Batcher
from nlp_service.adapters.db.audit import AuditLog
from nlp_service.adapters.db.customers import Customers
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.deliveries import enqueue
from nlp_service.adapters.db.housekeeping import Housekeeping
from nlp_service.adapters.db.jobs import Jobs
from nlp_service.adapters.db.keys import Keys
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.db.migrations.run import migrate
from nlp_service.adapters.db.policies import Policies
from nlp_service.adapters.db.reports import Reports
from nlp_service.adapters.db.retention import Retention
from nlp_service.adapters.db.themes import Themes
from nlp_service.adapters.examples import BundledExamples
from nlp_service.adapters.gate import Gate
from nlp_service.adapters.language import LanguageIdentifier
from nlp_service.adapters.metrics import Metrics
from nlp_service.adapters.oidc import Oidc
from nlp_service.adapters.onnx import OnnxModel
from nlp_service.adapters.policy_in_force import PolicyInForce
from nlp_service.adapters.registry import Registry
from nlp_service.adapters.relabel_process import RelabelProcess
from nlp_service.adapters.sealing import AesSealer
from nlp_service.adapters.segmentation import Segmentation
from nlp_service.adapters.themes_index import ThemeIndex
from nlp_service.adapters.title_writer import TitleWriter
from nlp_service.adapters.watching import Watcher
from nlp_service.adapters.words import word_spans
from nlp_service.bootstrap_delivery import Delivery, serve_delivery
from nlp_service.contract.bundle import read_accepted
from nlp_service.contract.taxonomy import Taxonomy, load_taxonomy
from nlp_service.core.decision import IdentifyLanguage, Judge, decide, prepare
from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.history import CustomerHistory
from nlp_service.core.labelling import Labelling
from nlp_service.core.messages import Message
from nlp_service.core.policy import Policy, default_policy, load_policy
from nlp_service.core.privacy import find_pii, mask
from nlp_service.core.retention import RetentionRules
from nlp_service.errors import ConfigurationError, PolicyError
from nlp_service.flows.classify import Classify, judge_of
from nlp_service.flows.explain import Explain
from nlp_service.flows.jobs import JobRunner
from nlp_service.flows.mine import Mine, MineJob
from nlp_service.flows.steer import Steer
from nlp_service.ports import JobHandler, Model
from nlp_service.settings import Settings


def now() -> datetime:
    return datetime.now(UTC)


def mask_text(text: str) -> str:
    return mask(text, find_pii(text))


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

    def label(self, messages: Sequence[Message]) -> list[Labelling]:
        """Return one labelling per message, in order; no customer history is known."""
        if not messages:
            return []
        prepared = [prepare(message, self.identify) for message in messages]
        scores = self.model.score([item.segments for item in prepared])
        histories = [CustomerHistory(customer_id=message.customer_id) for message in messages]
        at = self.now()
        decided = decide(prepared, scores, histories, self.judge, at=at)
        return [replace(labelling, created_at=at) for labelling in decided]


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

    @property
    def model(self) -> Model:
        return self.batcher.model


def open_labeller(settings: Settings, *, bundle: Path | None = None) -> Labeller:
    """Load a bundle and the policy; raises ConfigurationError saying what does not fit."""
    model = load_model(settings, bundle)
    return Labeller(
        model=model,
        judge=judge_of(model, open_policy(settings, model.taxonomy)),
        identify=open_language(settings, model),
    )


def load_model(settings: Settings, bundle: Path | None = None) -> OnnxModel:
    """Load the given or the accepted bundle; the cores are shared out among the processes unless set otherwise."""
    folder = bundle or read_accepted(settings.models)
    share = max(1, len(os.sched_getaffinity(0)) // settings.workers)
    return OnnxModel.load(folder, sessions=settings.sessions or share)


def open_taxonomy(settings: Settings) -> Taxonomy:
    """Return the accepted bundle's taxonomy without loading its model."""
    return load_taxonomy(read_accepted(settings.models) / "taxonomy.yaml")


def open_language(settings: Settings, model: Model) -> IdentifyLanguage:
    return LanguageIdentifier.load(model.languages, default=settings.default_language).identify


def open_policy(settings: Settings, taxonomy: Taxonomy) -> Policy:
    """Return the operator's policy, or the shipped one."""
    if settings.policy is None:
        return default_policy(taxonomy)
    try:
        text = settings.policy.read_text(encoding="utf-8")
    except OSError as exc:
        raise PolicyError(f"policy {settings.policy} cannot be read: {exc}") from exc
    return load_policy(text, taxonomy, where=str(settings.policy))


def open_database(settings: Settings) -> Database:
    """Migrate the database and open it."""
    migrate(settings.database)
    return Database.open(settings.database)


def open_oidc(settings: Settings) -> Oidc | None:
    if settings.oidc_issuer is None or settings.oidc_audience is None or settings.oidc_jwks_url is None:
        return None
    return Oidc(issuer=settings.oidc_issuer, audience=settings.oidc_audience, jwks_url=settings.oidc_jwks_url)


def require_key(settings: Settings, keys: Keys) -> None:
    """Refuse to be reachable from elsewhere while everyone would be let in."""
    if not settings.on_loopback and settings.oidc_issuer is None and not keys.any_open():
        raise ConfigurationError(
            f"host {settings.host} can be reached from other machines and no API key exists: make one first with "
            "`nlp-service keys create --name admin --scope admin`, or listen on 127.0.0.1"
        )


def open_sealer(settings: Settings) -> AesSealer | None:
    """Return the encryption at rest, None where no key is set; raises ConfigurationError for a malformed key."""
    if settings.encryption_key is None and settings.encryption_key_file is None:
        return None
    key = settings.encryption_key
    return AesSealer.load(None if key is None else key.get_secret_value(), file=settings.encryption_key_file)


def retention_rules(settings: Settings) -> RetentionRules:
    return RetentionRules(days=settings.retention_days)


def open_messages(settings: Settings, database: Database) -> Messages:
    return Messages(database, mask=mask_text, sealer=open_sealer(settings), keep_raw_text=settings.keep_raw_text)


def open_themes(settings: Settings, database: Database) -> Themes:
    """Return the theme store; its events go to the outbox in the same transaction."""
    return Themes(database, publish=_queue, public_url=settings.public_url, clock=now)


def _queue(connection: Connection, event: ThemeEvent) -> None:
    enqueue(connection, event, at=now())


def open_mine(
    settings: Settings, messages: Messages, themes: Themes, taxonomy: Taxonomy, *, scope_threshold: float
) -> Mine:
    return Mine(
        messages=messages,
        themes=themes,
        segment=Segmentation.load().words,
        routes={intent.id: intent.department for intent in taxonomy.intents.values()},
        scope_threshold=scope_threshold,
        now=now,
        holder=f"{socket.gethostname()}-{os.getpid()}",
        write_title=open_title_writer(settings),
    )


def open_title_writer(settings: Settings) -> TitleWriter | None:
    if settings.title_endpoint is None:
        return None
    key = settings.title_key.get_secret_value() if settings.title_key else None
    return TitleWriter(url=settings.title_endpoint, model=settings.title_model, key=key)


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


def job_handlers(settings: Settings) -> dict[str, JobHandler]:
    """Return what carries out each kind of job."""
    passed_on = settings.model_dump(include={"models", "database", "policy", "default_language", "keep_raw_text"})
    environment = {f"NLP_SERVICE_{name.upper()}": str(value) for name, value in passed_on.items() if value is not None}
    return {"relabel": RelabelProcess(settings.jobs_folder, environment=environment)}


@contextmanager
def open_service(settings: Settings) -> Iterator[Service]:
    """Open everything, warmed up; close in reverse order, storing what was answered."""
    metrics = Metrics()
    model = load_model(settings)
    first_policy = open_policy(settings, model.taxonomy)
    served = Served(settings)
    rules = retention_rules(settings)
    database = open_database(settings)
    housekeeping = Housekeeping(Retention(database), rules)
    housekeeping.start()
    themes = open_themes(settings, database)
    index = ThemeIndex(themes, scope_threshold=model.calibration.scope_threshold)
    policies = Policies(database)
    policy = PolicyInForce(
        policies, load=lambda text, where: load_policy(text, model.taxonomy, where=where), first=first_policy
    )
    with ExitStack() as closing:
        closing.callback(database.close)
        closing.callback(housekeeping.close)
        closing.callback(policy.close)
        closing.callback(index.close)
        jobs = Jobs(database)
        messages = open_messages(settings, database)
        mine = open_mine(settings, messages, themes, model.taxonomy, scope_threshold=model.calibration.scope_threshold)
        runner = JobRunner(jobs, {**job_handlers(settings), "mine": MineJob(mine=mine)}, now=now)
        closing.callback(runner.close)
        index.start(model.identity)
        policy.start()
        model.warm_up()
        metrics.serving(model.identity)
        batcher = Batcher(
            model, queue_tokens=settings.queue_tokens, cache_entries=settings.cache_entries, observer=metrics
        )
        watcher = Watcher(
            Registry(settings.models), lambda: served.swap(batcher, metrics), seconds=settings.model_poll_seconds
        )
        watcher.start()
        closing.callback(watcher.close)
        classify = Classify(
            scorer=batcher,
            identify=open_language(settings, model),
            policy=policy,
            now=now,
            store=messages,
            themes=index,
        )
        keys = Keys(database)
        require_key(settings, keys)
        steer = Steer(themes=themes, now=now)
        delivery = closing.enter_context(
            serve_delivery(settings, database, decisions=steer, departments=model.taxonomy.departments)
        )
        runner.start()
        yield Service(
            settings=settings,
            metrics=metrics,
            database=database,
            batcher=batcher,
            messages=messages,
            keys=keys,
            audit=AuditLog(database),
            personal=Customers(database, sealer=open_sealer(settings)),
            gate=Gate(keys, on_loopback=settings.on_loopback, oidc=open_oidc(settings)),
            jobs=jobs,
            classify=classify,
            delivery=delivery,
            policies=policies,
            policy=policy,
            reports=Reports(database),
            explain=Explain(scorer=batcher, words=word_spans, examples=lambda: served.examples),
            themes=themes,
            steer=steer,
            mine=mine,
        )
