"""The one table from exception to exit code, the twin of web/errors.py."""

from __future__ import annotations

from collections.abc import Mapping

from nlp_service import errors

CODES: Mapping[type[errors.NlpServiceError], int] = {
    errors.ConfigurationError: 2,
    errors.InputError: 3,
    errors.Conflict: 4,
    errors.AccessError: 5,
    errors.Unavailable: 6,
    errors.JobError: 7,
    errors.NlpServiceError: 1,
}


def exit_code(exc: errors.NlpServiceError) -> int:
    """Return the exit code of the nearest class in the table."""
    return next(CODES[cls] for cls in type(exc).__mro__ if cls in CODES)
