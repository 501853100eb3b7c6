"""Every exception that the service raises on purpose.

NlpServiceError
├── ConfigurationError        a setting, taxonomy, policy or bundle is wrong: the service refuses to start
│   ├── TaxonomyError
│   ├── PolicyError
│   └── BundleError
├── InputError                the caller sent something that cannot be used
│   ├── InvalidMessage
│   ├── CorpusError
│   └── NotFound
├── Conflict                  the request contradicts what is stored
├── AccessError
│   ├── Unauthenticated
│   └── Forbidden
├── Unavailable               try again later
│   ├── Overloaded
│   └── StorageUnavailable
└── JobError                  a long job stopped; it says what was kept and how to resume
    └── Cancelled             on request
"""

from __future__ import annotations


class NlpServiceError(Exception):
    """Root of the tree. The message names the thing, its value and what to do next."""


class ConfigurationError(NlpServiceError):
    """A setting or file is wrong; nothing is served until it is right."""


class TaxonomyError(ConfigurationError):
    """A taxonomy file is malformed or does not match the bundle."""


class PolicyError(ConfigurationError):
    """A priority or routing policy is malformed; the message names the line."""


class BundleError(ConfigurationError):
    """A model bundle is incomplete, damaged or made for another contract."""


class InputError(NlpServiceError):
    """The caller sent something that cannot be used."""


class InvalidMessage(InputError):
    """A message breaks the schema; ``field`` names the place."""

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.field = field


class CorpusError(InputError):
    """A corpus record or file is malformed."""


class NotFound(InputError):
    """No such thing under that id."""


class Conflict(NlpServiceError):
    """The request contradicts what is stored."""


class AccessError(NlpServiceError):
    """The caller may not do this."""


class Unauthenticated(AccessError):
    """No key, or one that is unknown, expired or revoked."""


class Forbidden(AccessError):
    """A known caller without the scope or the department."""


class Unavailable(NlpServiceError):
    """Try again later; ``retry_after`` is in seconds."""

    def __init__(self, detail: str, *, retry_after: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Overloaded(Unavailable):
    """The queue is full; refused early instead of answered late."""


class StorageUnavailable(Unavailable):
    """The database cannot be reached or written."""


class JobError(NlpServiceError):
    """A long job stopped; the message says what was kept and how to resume."""


class Cancelled(JobError):
    """A job was stopped on request; what was finished is kept."""
