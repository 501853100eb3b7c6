"""Bad input gets a clear error, and nothing is lost or half done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.server import Served


def post(served: Served, body: Any) -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = served.client.post("/classify", content=content, headers={"Content-Type": "application/json"})
    if response.status_code != 200:
        assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"text": ""}, 422, "text"),
        ({"text": "  \n "}, 422, "text"),
        ({}, 422, "text"),
        ({"text": 5}, 422, "text"),
        ({"text": "好", "txet": "typo"}, 422, "txet"),
        ({"text": "好", "context": ["a", "b", "c"]}, 422, "context"),
        ({"text": "好", "sent_at": "2026-11-20T10:00:00"}, 422, "sent_at"),
        ({"text": "好", "amount": -1}, 422, "amount"),
        ({"text": "好" * 400_000}, 422, "text"),
        ({"messages": []}, 422, "messages"),
        ({"messages": [{"text": "好"}] * 257}, 422, "messages"),
        ({"messages": [{"text": "好"}, {"text": ""}]}, 422, "messages.1.text"),
        ([1, 2], 422, ""),
        (b"", 422, "empty"),
        (b"{not json", 422, ""),
        (b'{"text": "\xff\xfe"}', 422, "UTF-8"),
    ],
)
def test_problem_names_the_field(served: Served, body: Any, status: int, named: str) -> None:
    found, problem = post(served, body)
    assert found == status
    assert problem["status"] == status
    assert named in json.dumps(problem, ensure_ascii=False)


@pytest.mark.parametrize("text", ["😡😡😡", "！！！？？", "👍"])
def test_no_words_is_answered_and_goes_to_a_person(served: Served, text: str) -> None:
    status, answer = post(served, {"text": text})
    assert status == 200
    assert answer["needs_human"]["reasons"] == ["no_words"]


def test_control_characters_change_nothing(served: Served) -> None:
    _, clean = post(served, {"text": "我要退货"})
    _, dirty = post(served, {"text": "我要\u200b退货\u0007\ufeff"})
    assert dirty["intent"] == clean["intent"]


def test_too_large_a_body_is_refused(served: Served) -> None:
    status, problem = post(served, b'{"text": "' + b"x" * (17 * 1024 * 1024) + b'"}')
    assert status == 413
    assert "bytes" in problem["detail"]


def test_unknown_path_and_method_are_problems(served: Served) -> None:
    assert served.client.get("/nothing").headers["content-type"] == "application/problem+json"
    assert served.client.get("/classify").status_code == 405


def test_unknown_customer_is_not_found(served: Served) -> None:
    response = served.client.get("/customers/nobody")
    assert response.status_code == 404
    assert "nobody" in response.json()["detail"]
