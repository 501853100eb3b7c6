"""What a call can end in.

ServiceError
├── ServiceRefusedError       the service answered with a problem; trying again does not help
└── ServiceUnreachableError   no answer, or overload, after the last retry
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ServiceError(Exception):
    """Root of the tree."""


class ServiceRefusedError(ServiceError):
    """The service answered with an RFC 9457 problem; ``problem`` is the whole document."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{problem.get('status')} {problem.get('title')}: {problem.get('detail')}")
        self.problem = problem


class ServiceUnreachableError(ServiceError):
    """No answer, or overload, after the last retry."""
