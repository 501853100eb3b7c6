"""An intent added over HTTP answers at once with the shipped model, and a merged one has its new name."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.server import serve

EXAMPLES = [
    "可以帮我包成礼物吗",
    "能不能加个礼品包装",
    "送人的，麻烦包装得好看点",
    "有没有礼盒包装可以选",
    "我要送朋友生日礼物，可以包装一下吗",
    "礼品包装要加钱吗",
    "包装成礼物的样子，里面放张贺卡",
    "可以写一张贺卡放进去吗",
    "有礼品袋吗，送礼用的",
    "能用彩纸包起来吗，要送人",
]
SLOW = 240  # seconds; a machine that does other things too
NEW = {
    "id": "gift_wrap",
    "names": {"zh": "礼品包装", "en": "Gift wrap"},
    "group": "promotion",
    "department": "presales",
    "examples": EXAMPLES,
}


def test_an_intent_answers_at_once_and_is_marked(tmp_path: Path) -> None:
    with serve(tmp_path) as running:
        client = running.client

        def intent(text: str) -> dict[str, object]:
            sent = client.post("/classify", json={"text": text}, timeout=SLOW)
            answer = sent.raise_for_status().json()
            told = {"human": answer["needs_human"]["reasons"], "to": answer["route"]["department"]}
            return {"provisional": False, **answer["intent"], **told}

        assert intent("想包成礼物送人，可以加礼盒吗")["provisional"] is False
        assert client.post("/intents/provisional", json={**NEW, "examples": EXAMPLES[:3]}).status_code == 422
        assert client.post("/intents/provisional", json=NEW, timeout=SLOW).status_code == 201
        assert client.post("/intents/provisional", json=NEW, timeout=SLOW).status_code == 409
        found = intent("想包成礼物送人，可以加个礼盒包装吗")
        assert (found["label"], found["name"], found["provisional"]) == ("gift_wrap", "礼品包装", True)
        assert found["human"] == ["provisional_intent"]
        assert found["to"] == "presales"
        other = intent("快递三天没动了，什么时候能到")
        assert (other["group"], other["provisional"]) == ("delivery", False)

        moved = {"kind": "merge", "old": str(other["label"]), "new": "delivery_tracking", "why": "one queue"}
        if other["label"] != "delivery_tracking":
            assert client.post("/intents/moves", json=moved).json()["labellings"] >= 1
            assert intent("快递三天没动了，什么时候能到")["label"] == "delivery_tracking"
        assert client.delete("/intents/provisional/gift_wrap").status_code == 204
        assert intent("想包成礼物送人，可以加个礼盒包装吗")["provisional"] is False
        assert client.get("/intents/provisional").json() == []
