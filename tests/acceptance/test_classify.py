"""POST /classify as a hub uses it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.acceptance.server import Served, serve

LATE = "都催了三次了，快递到现在一动不动，你们到底管不管？"


def test_one_message_gets_every_field(served: Served) -> None:
    answer = served.client.post("/classify", json={"id": "a-1", "text": LATE, "channel": "wechat"}).json()
    assert answer["id"] == "a-1"
    assert answer["intent"]["label"] == "delivery_delay"
    assert answer["intent"]["group"] == "delivery"
    assert answer["sentiment"]["score"] < 0
    assert answer["priority"]["level"] in {"urgent", "normal"}
    assert answer["priority"]["reasons"]
    assert answer["route"]["department"] == "logistics"
    assert answer["language"]["code"] == "zh"
    assert answer["truncated"] is False
    assert answer["model"]["version"]


def test_batch_keeps_order_and_ids(served: Served) -> None:
    messages = [{"id": f"b-{i}", "text": f"第{i}个问题：怎么退货？"} for i in range(256)]
    results = served.client.post("/classify", json={"messages": messages}).json()["results"]
    assert [result["id"] for result in results] == [message["id"] for message in messages]


def test_context_gives_a_short_follow_up_its_matter(served: Served) -> None:
    follow_up = {"text": "那麻烦快一点", "context": ["顾客: 我的快递三天没动了", "客服: 亲 还在运输途中哦"]}
    answer = served.client.post("/classify", json=follow_up).json()
    assert answer["intent"]["group"] == "delivery"


def test_timing_and_model_are_in_the_headers(served: Served) -> None:
    response = served.client.post("/classify", json={"text": LATE})
    assert {part.split(";")[0] for part in response.headers["Server-Timing"].split(", ")} >= {
        "queue",
        "tokenise",
        "infer",
        "decide",
        "store",
    }
    assert response.headers["X-Model-Version"]


def test_long_text_is_read_whole_or_said_to_be_truncated(served: Served) -> None:
    padding = "今天天气不错，我随便说几句。" * 400
    answer = served.client.post("/classify", json={"text": padding + LATE}).json()
    assert answer["truncated"] is False
    huge = served.client.post("/classify", json={"text": "好" + "我想说的话很多，" * 12_000}).json()
    assert huge["truncated"] is True


def test_personal_data_is_masked_in_answer_and_store(tmp_path: Path) -> None:
    text = "我叫王小明，电话13812345678，快递还没到"
    with serve(tmp_path) as running:
        answer = running.client.post("/classify", json={"id": "p-1", "text": text}).json()
        running.stop()
    assert "13812345678" not in answer["masked_text"]
    kinds = {text[span["start"] : span["end"]]: span["kind"] for span in answer["pii"]}
    assert kinds["13812345678"] == "mobile"
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("service.db*"))
    assert b"13812345678" not in stored
    assert "快递还没到".encode() in stored


def test_same_id_is_answered_again_and_stored_once(tmp_path: Path) -> None:
    with serve(tmp_path) as running:
        first = running.client.post("/classify", json={"id": "same", "text": LATE}).json()
        second = running.client.post("/classify", json={"id": "same", "text": LATE}).json()
        running.stop()
    assert first["intent"] == second["intent"]
    with sqlite3.connect(tmp_path / "service.db") as database:
        assert database.execute("select count(*) from messages").fetchone() == (1,)
        assert database.execute("select count(*) from labellings").fetchone() == (1,)
    database.close()


def test_second_complaint_of_a_customer_is_urgent_and_tagged(tmp_path: Path) -> None:
    complaint = "你们的服务态度太差了，我非常不满意！"
    with serve(tmp_path) as running:
        for number in range(3):
            body = {"id": f"c-{number}", "text": complaint, "customer_id": "c-9"}
            answer = running.client.post("/classify", json=body).json()
        customer = running.client.get("/customers/c-9").json()
    assert answer["priority"]["level"] == "urgent"
    assert any("complaint" in reason["rule"] for reason in answer["priority"]["reasons"])
    assert "high_complaint_risk" in {tag["tag"] for tag in customer["tags"]}
    assert len(customer["messages"]) == 3


def test_answered_messages_survive_a_kill(tmp_path: Path) -> None:
    with serve(tmp_path) as running:
        answered = [running.client.post("/classify", json={"text": f"{LATE}{i}"}).json()["id"] for i in range(20)]
        running.process.kill()
        running.process.wait()
    with sqlite3.connect(tmp_path / "service.db") as database:
        stored = {row[0] for row in database.execute("select id from messages")}
    database.close()
    assert stored == set(answered)


LATE_PARCEL = {
    "en": "Where is my parcel? It was supposed to arrive three days ago.",
    "ja": "荷物がまだ届きません。いつ届きますか。",
    "ko": "택배가 아직 안 왔어요. 언제 도착하나요?",
    "es": "Mi paquete todavía no ha llegado, ¿dónde está?",
    "de": "Mein Paket ist immer noch nicht angekommen, wo bleibt es?",
    "fr": "Mon colis n'est toujours pas arrivé, où est-il ?",
    "ru": "Моя посылка до сих пор не пришла, где она?",
    "pt": "Minha encomenda ainda não chegou, onde ela está?",
    "th": "พัสดุของฉันยังไม่มาถึง ตอนนี้อยู่ที่ไหน",
    "vi": "Đơn hàng của tôi vẫn chưa tới, bây giờ nó đang ở đâu?",
    "id": "Paket saya belum sampai juga, sekarang ada di mana?",
    "ar": "لم تصل شحنتي بعد، أين هي الآن؟",
}


@pytest.mark.parametrize("language", LATE_PARCEL)
def test_other_languages_are_identified(served: Served, language: str) -> None:
    answer = served.client.post("/classify", json={"text": LATE_PARCEL[language]}).json()
    assert answer["language"]["code"] == language


@pytest.mark.parametrize("language", LATE_PARCEL)
def test_other_languages_are_understood(served: Served, language: str) -> None:
    answer = served.client.post("/classify", json={"text": LATE_PARCEL[language]}).json()
    assert answer["intent"]["group"] == "delivery"


def test_unsupported_language_goes_to_a_person(served: Served) -> None:
    answer = served.client.post("/classify", json={"text": "Πού είναι το δέμα μου; Δεν έχει φτάσει ακόμα."}).json()
    assert answer["needs_human"]["value"] is True
    assert set(answer["needs_human"]["reasons"]) & {"unsupported_language", "unclear_language"}


def test_metrics_count_what_happened(served: Served) -> None:
    served.client.post("/classify", json={"text": LATE})
    text = served.client.get("/metrics").text
    for name in ("nlp_requests_total", "nlp_stage_seconds", "nlp_batch_size", "nlp_messages_total", "nlp_model_info"):
        assert name in text


def test_every_operation_of_the_description_has_an_example_and_every_field_a_description(served: Served) -> None:
    document = served.client.get("/openapi.json").json()
    for name, schema in document["components"]["schemas"].items():
        if name in {"HTTPValidationError", "ValidationError"}:
            continue
        for field, spec in schema.get("properties", {}).items():
            assert "description" in spec, f"{name}.{field}"
    classify = document["paths"]["/classify"]["post"]
    assert classify["requestBody"]["content"]["application/json"]["examples"]
    json.dumps(document)
