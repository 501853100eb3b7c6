"""The policy that decides now: the newest saved one, noticed within seconds by every process without a restart."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from nlp_service.adapters.db.policies import Policies
from nlp_service.core.policy import Policy
from nlp_service.errors import PolicyError, StorageUnavailable

LOOK_SECONDS = 2.0
_log = structlog.get_logger(__name__)


class PolicyInForce:
    """Callable that returns the policy in force from memory; a thread looks for newer ones."""

    def __init__(self, policies: Policies, *, load: Callable[[str, str], Policy], first: Policy) -> None:
        """``load`` takes (YAML, where it comes from); ``first`` decides until one is saved."""
        self._policies = policies
        self._load = load
        self._policy = first
        self._version: int | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="policy", daemon=True)

    @property
    def version(self) -> int | None:
        """The saved version in force, None for the one that the service was started with."""
        return self._version

    def __call__(self) -> Policy:
        return self._policy

    def start(self) -> None:
        """Take the newest saved policy and look for newer ones from now on; raises PolicyError."""
        self.refresh()
        self._thread.start()

    def refresh(self) -> None:
        """Take the newest saved policy now; raises PolicyError where it no longer fits the taxonomy."""
        newest = self._policies.newest()
        if newest is not None and newest.version != self._version:
            self._policy = self._load(newest.text, f"version {newest.version}")
            self._version = newest.version

    def close(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self.refresh()
            except (PolicyError, StorageUnavailable) as exc:
                _log.warning("policy_not_refreshed", detail=str(exc))
