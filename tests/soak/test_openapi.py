"""Every route of the OpenAPI document, hundreds of requests each, from several seeds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.openapi_fuzz import fuzz, small_service

EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "200"))

pytestmark = [pytest.mark.soak, pytest.mark.timeout(4 * 3600)]


@pytest.mark.parametrize("number", range(3))
def test_no_request_is_answered_with_a_fault_of_ours(tmp_path: Path, number: int) -> None:
    with small_service(tmp_path) as client:
        sent, wrong = fuzz(client, examples=EXAMPLES, number=number)
    assert wrong == []
    assert sent > 50 * EXAMPLES
