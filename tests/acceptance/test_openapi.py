"""Whatever is sent to any route of the OpenAPI document, no answer is a fault of ours. The long form is in soak."""

from __future__ import annotations

from pathlib import Path

from tests.openapi_fuzz import fuzz, small_service

EXAMPLES = 3  # requests to each operation


def test_no_request_is_answered_with_a_fault_of_ours(tmp_path: Path) -> None:
    with small_service(tmp_path) as client:
        sent, wrong = fuzz(client, examples=EXAMPLES)
    assert wrong == []
    assert sent > 100
