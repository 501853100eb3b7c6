"""Each part of the service, built from the settings."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from nlp_service.adapters.db import engines
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.deliveries import enqueue
from nlp_service.adapters.db.keys import Keys
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.db.migrations.run import migrate
from nlp_service.adapters.db.policies import Policies
from nlp_service.adapters.db.themes import Themes
from nlp_service.adapters.language import LanguageIdentifier
from nlp_service.adapters.oidc import Oidc
from nlp_service.adapters.oidc_sign_in import OidcSignIn
from nlp_service.adapters.onnx import OnnxModel
from nlp_service.adapters.relabel_process import RelabelProcess
from nlp_service.adapters.sealing import AesSealer
from nlp_service.adapters.segmentation import Segmentation
from nlp_service.contract.bundle import read_accepted, read_manifest
from nlp_service.contract.calibration import Calibration, read_calibration
from nlp_service.contract.taxonomy import Taxonomy, load_taxonomy
from nlp_service.core.decision import IdentifyLanguage
from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.labelling import ModelIdentity
from nlp_service.core.policy import Policy, default_policy, load_policy
from nlp_service.core.privacy import find_pii, mask
from nlp_service.core.retention import RetentionRules
from nlp_service.errors import ConfigurationError, PolicyError
from nlp_service.flows.mine import Mine
from nlp_service.ports import JobHandler, Model
from nlp_service.ports.review import CorrectionStore
from nlp_service.settings import Settings

if TYPE_CHECKING:
    from nlp_service.adapters.title_writer import TitleWriter


def now() -> datetime:
    return datetime.now(UTC)


def mask_text(text: str) -> str:
    return mask(text, find_pii(text))


def load_model(settings: Settings, bundle: Path | None = None) -> OnnxModel:
    """Load the given or the accepted bundle; the cores are shared out among the processes unless set otherwise."""
    folder = bundle or read_accepted(settings.models)
    share = max(1, len(os.sched_getaffinity(0)) // settings.workers)
    return OnnxModel.load(folder, sessions=settings.sessions or share)


def open_taxonomy(settings: Settings) -> Taxonomy:
    """Return the accepted bundle's taxonomy without loading its model."""
    return load_taxonomy(read_accepted(settings.models) / "taxonomy.yaml")


@dataclass(frozen=True, kw_only=True)
class BundleFacts:
    """The accepted bundle without its model: enough where nothing is scored."""

    identity: ModelIdentity
    taxonomy: Taxonomy
    calibration: Calibration
    languages: tuple[str, ...]


def open_bundle_facts(settings: Settings) -> BundleFacts:
    folder = read_accepted(settings.models)
    manifest = read_manifest(folder)
    return BundleFacts(
        identity=ModelIdentity(name=manifest.name, version=manifest.version),
        taxonomy=load_taxonomy(folder / "taxonomy.yaml"),
        calibration=read_calibration(folder / "calibration.json"),
        languages=manifest.languages,
    )


def open_language(settings: Settings, languages: Sequence[str]) -> IdentifyLanguage:
    return LanguageIdentifier.load(languages, default=settings.default_language).identify


def load_model_and_language(settings: Settings, bundle: Path | None = None) -> tuple[OnnxModel, IdentifyLanguage]:
    """Load a bundle and, beside it, what tells the languages that the bundle serves."""
    languages = read_manifest(bundle or read_accepted(settings.models)).languages
    with ThreadPoolExecutor(1) as beside:
        identify = beside.submit(open_language, settings, languages)
        return load_model(settings, bundle), identify.result()


def open_policy(settings: Settings, taxonomy: Taxonomy) -> Policy:
    """Return the operator's policy, or the shipped one."""
    if settings.policy is None:
        return default_policy(taxonomy)
    try:
        text = settings.policy.read_text(encoding="utf-8")
    except OSError as exc:
        raise PolicyError(f"policy {settings.policy} cannot be read: {exc}") from exc
    return load_policy(text, taxonomy, where=str(settings.policy))


def open_policy_in_force(settings: Settings, taxonomy: Taxonomy) -> tuple[Policy, str]:
    """Return the policy that a server on this database decides by, and in words which it is.

    The newest saved one, else the operator's file, else the shipped one. A database that is not there is not made.

    Raises:
        PolicyError: it does not fit the taxonomy.
        StorageUnavailable: the database does not answer.
    """
    file = engines.sqlite_path(engines.parse(settings.database))
    if file is None or file.is_file():
        with open_database(settings) as database:
            saved = Policies(database).newest()
        if saved is not None:
            name = f"version {saved.version}"
            return load_policy(saved.text, taxonomy, where=name), f"{name}, saved on {saved.saved_at:%Y-%m-%d}"
    return open_policy(settings, taxonomy), "the shipped one" if settings.policy is None else str(settings.policy)


def open_database(settings: Settings) -> Database:
    """Migrate the database and open it."""
    migrate(settings.database)
    return Database.open(settings.database)


def open_oidc(settings: Settings) -> Oidc | None:
    if settings.oidc_issuer is None or settings.oidc_audience is None or settings.oidc_jwks_url is None:
        return None
    return Oidc(issuer=settings.oidc_issuer, audience=settings.oidc_audience, jwks_url=settings.oidc_jwks_url)


def open_sign_in(settings: Settings) -> OidcSignIn | None:
    """Return the sign-in at the issuer, None where this service is no client of one."""
    oidc = open_oidc(settings)
    if oidc is None or settings.oidc_issuer is None or settings.oidc_client_id is None:
        return None
    secret = settings.oidc_client_secret
    return OidcSignIn(
        oidc,
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=secret.get_secret_value() if secret else None,
        scopes=settings.oidc_scopes,
    )


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
    return Themes(database, publish=queue_event, public_url=settings.public_url, clock=now)


def queue_event(connection: Connection, event: ThemeEvent) -> None:
    enqueue(connection, event, at=now())


def open_mine(
    settings: Settings,
    messages: Messages,
    themes: Themes,
    taxonomy: Taxonomy,
    *,
    scope_threshold: float,
    corrections: CorrectionStore | None = None,
    served: Callable[[], Model] | None = None,
) -> Mine:
    return Mine(
        messages=messages,
        themes=themes,
        segment=lambda text, language: _segmentation().words(text, language),
        routes={intent.id: intent.department for intent in taxonomy.intents.values()},
        scope_threshold=scope_threshold,
        now=now,
        holder=f"{socket.gethostname()}-{os.getpid()}",
        served=served,
        write_title=open_title_writer(settings),
        corrections=corrections,
        sentiments=taxonomy.sentiments,
    )


@cache
def _segmentation() -> Segmentation:
    """The dictionary (40 MB), loaded by the first run that mines."""
    return Segmentation.load()


def open_title_writer(settings: Settings) -> TitleWriter | None:
    if settings.title_endpoint is None:
        return None
    key = settings.title_key.get_secret_value() if settings.title_key else None
    from nlp_service.adapters.title_writer import TitleWriter

    return TitleWriter(url=settings.title_endpoint, model=settings.title_model, key=key)


def job_handlers(settings: Settings) -> dict[str, JobHandler]:
    """Return what carries out each kind of job."""
    return {"relabel": RelabelProcess(settings.jobs_folder, environment=passed_on(settings))}


def passed_on(settings: Settings) -> dict[str, str]:
    """Return the environment in which our own commands, run as processes, see these settings."""
    chosen = settings.model_dump(include={"models", "database", "policy", "default_language", "keep_raw_text"})
    return {f"NLP_SERVICE_{name.upper()}": str(value) for name, value in chosen.items() if value is not None}
