"""One frozen object with every setting; each is also an environment variable NLP_SERVICE_<NAME>."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal
from zoneinfo import available_timezones

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_DATABASE = "sqlite:///data/nlp_service.db"


class Settings(BaseSettings):
    """Read once in main and passed down; nothing reads the environment later."""

    model_config = SettingsConfigDict(env_prefix="NLP_SERVICE_", frozen=True, extra="forbid", env_ignore_empty=True)

    host: str = Field("127.0.0.1", description="Address to listen on. Anything but loopback needs an API key first.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one and prints it.")
    workers: int = Field(1, ge=1, description="Server processes. Each needs about 300 MB and one busy core.")
    models: Path = Field(Path("models"), description="Folder with the bundles and accepted.json.")
    database: str = Field(DEFAULT_DATABASE, description="sqlite:///path or postgresql://user:password@host/name.")
    policy: Path | None = Field(None, description="Priority and routing policy (YAML); the shipped one by default.")
    model_poll_seconds: float = Field(2.0, gt=0, description="Seconds between looks for another accepted model.")
    sessions: int = Field(0, ge=0, description="ONNX sessions of one thread per process; 0 = the cores shared out.")
    queue_tokens: int = Field(
        60_000, ge=1, description="Tokens that may wait, about 3 seconds of two cores; more are refused with 429."
    )
    cache_entries: int = Field(20_000, ge=0, description="Exact duplicates remembered, about 3 kB each; 0 = none.")
    default_language: str | None = Field(None, description="ISO 639-1 code assumed where a text has too few words.")
    keep_raw_text: bool = Field(False, description="Also keep the unmasked text, encrypted; needs encryption_key.")
    encryption_key: SecretStr | None = Field(None, description="32 bytes in base64; several, newest first, by comma.")
    encryption_key_file: Path | None = Field(None, description="File with such keys, one a line, instead.")
    oidc_issuer: str | None = Field(None, description="Issuer whose access tokens are accepted beside API keys.")
    oidc_audience: str | None = Field(None, description="Audience that a token must be made for.")
    oidc_jwks_url: str | None = Field(None, description="Where the issuer publishes its keys.")
    oidc_client_id: str | None = Field(None, description="Client as which people sign in at the issuer.")
    oidc_client_secret: SecretStr | None = Field(None, description="Of that client, where it has one.")
    oidc_scopes: str = Field("openid", description="Asked for at sign-in; add what grants scopes here, by space.")
    retention_days: dict[str, int] = Field(
        {"raw_text": 30},
        description="Days that stored data are kept, as JSON: messages, raw_text, deliveries, audit_log; others stay.",
    )
    rate_per_minute: int = Field(
        0, ge=0, description="Requests a minute of each key, counted by each process; 0 = no limit. keys create --rate."
    )
    jobs_folder: Path = Field(Path("data/jobs"), description="Where jobs keep their files; shared by all replicas.")
    relabel_folder: Path | None = Field(None, description="Folder whose files POST /relabel-jobs may name.")
    upload_mb: int = Field(512, ge=1, description="Greatest upload in MB; kept on disk, not in memory.")
    public_url: str | None = Field(None, description="Address of this service as people reach it, for links.")
    title_endpoint: str | None = Field(
        None,
        description="OpenAI-compatible address, e.g. http://llm/v1, that writes titles of new themes.",
    )
    title_model: str = Field("default", description="Model that the title endpoint is asked for.")
    title_key: SecretStr | None = Field(None, description="Bearer key of the title endpoint.")
    delivery: bool = Field(True, description="Deliver theme events in the server process; off where workers run apart.")
    delivery_networks: str = Field(
        "", description="Private networks that deliveries may reach, e.g. 10.1.0.0/16, by comma; http is fine there."
    )
    delivery_timeout: float = Field(20.0, gt=0, le=60, description="Seconds that one attempt may take.")
    delivery_schedule: str = Field(
        "0,5,300,1800,7200,18000,36000,50400,72000,86400", description="Seconds before each attempt; then it is dead."
    )
    delivery_rest: float = Field(30.0, gt=0, description="Seconds that an endpoint rests after five failures in a row.")
    metrics_port: int = Field(
        0, ge=0, le=65535, description="Port at `host` where `nlp-service worker` shows its metrics; 0 = none."
    )
    smtp_url: SecretStr | None = Field(None, description="Mail server: smtp://user:password@host:587 or smtps://….")
    smtp_sender: str = Field("nlp-service@localhost", description="From whom mail comes: `name <address>`.")
    ticket_seconds: float = Field(300.0, gt=0, description="Seconds between looks at open Jira issues.")
    review_queue_seconds: float = Field(
        900.0, gt=0, description="Seconds between fillings of the review queue; each compares some 5,000 messages."
    )
    training_jobs: bool = Field(False, description="Let POST /training-jobs start training here; takes all cores.")
    training_corpora: Path | None = Field(None, description="Folder whose files POST /training-jobs may name.")
    training_folder: Path = Field(Path(), description="Checkout of the repository whose training package is run.")
    training_runs: Path = Field(Path("data/training"), description="Where training keeps runs that can go on.")
    drift_reference: Literal["training", "past"] = Field(
        "training", description="What weeks are held against: what the model was trained on, or the eight weeks before."
    )
    time_zone: str = Field("Asia/Shanghai", description="IANA time zone in which the pages show times.")
    traces_endpoint: str | None = Field(
        None, description="OTLP/HTTP address for traces, e.g. http://collector:4318/v1/traces; needs the extra otel."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    log_format: Literal["console", "json"] = Field("console", description="json: one object a line, for collectors.")

    @model_validator(mode="after")
    def _raw_text_needs_a_key(self) -> Settings:
        if self.keep_raw_text and self.encryption_key is None and self.encryption_key_file is None:
            raise ValueError("keep_raw_text is on but encryption_key is not set: set NLP_SERVICE_ENCRYPTION_KEY")
        return self

    @field_validator("time_zone")
    @classmethod
    def _time_zone_is_known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"time_zone {value!r} is not known: give an IANA name such as Asia/Shanghai or UTC")
        return value

    @model_validator(mode="after")
    def _oidc_is_whole(self) -> Settings:
        given = [self.oidc_issuer, self.oidc_audience, self.oidc_jwks_url]
        if any(given) and not all(given):
            raise ValueError("oidc_issuer, oidc_audience and oidc_jwks_url belong together: set all three or none")
        if self.oidc_client_id is not None and self.oidc_issuer is None:
            raise ValueError("oidc_client_id needs oidc_issuer, oidc_audience and oidc_jwks_url: set them too")
        return self

    @property
    def on_loopback(self) -> bool:
        """Tell whether only this machine can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
