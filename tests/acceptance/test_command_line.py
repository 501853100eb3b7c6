"""`nlp-service classify` on a text and on a file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.acceptance.server import ROOT, command, environment


def classify(folder: Path, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command("classify", *arguments),
        cwd=folder,
        env=environment(NLP_SERVICE_MODELS=str(ROOT / "models")),
        input=stdin,
        capture_output=True,
        timeout=120,
        check=False,
    )


def test_one_text_prints_a_card(tmp_path: Path) -> None:
    result = classify(tmp_path, "快递三天没动了，再不到我就投诉")
    card = result.stdout.decode()
    assert result.returncode == 0, result.stderr.decode()
    assert "delivery_delay" in card
    assert "logistics" in card


def test_json_is_the_answer_of_the_service(tmp_path: Path) -> None:
    answer = json.loads(classify(tmp_path, "我要退货", "--json").stdout)
    assert answer["intent"]["label"] == "return_request"


def test_file_gets_one_answer_per_line_in_order_and_bad_lines_are_not_lost(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": "1", "text": "我要退货", "unheard_of": 1}, ensure_ascii=False).encode(),
        b"{broken",
        json.dumps({"id": "3", "text": ""}).encode(),
        b'{"id": "4", "text": "\xff"}',
        json.dumps({"id": "5", "text": "谢谢"}, ensure_ascii=False).encode(),
    ]
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"\n".join(lines) + b"\n")
    result = classify(tmp_path, "--input", str(source), "--output", str(target))
    assert result.returncode == 0, result.stderr.decode()
    answers = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert [answer.get("id") for answer in answers] == ["1", None, None, None, "5"]
    assert [answer["error"]["line"] for answer in answers if "error" in answer] == [2, 3, 4]
    message = result.stderr.decode()
    assert "5 read, 2 labelled, 3 answered with an error" in message
    assert "unheard_of" in message


def test_standard_input_and_output(tmp_path: Path) -> None:
    result = classify(tmp_path, "--input", "-", stdin='{"id": "x", "text": "发票怎么开"}\n'.encode())
    assert json.loads(result.stdout)["intent"]["label"] == "invoice"


def test_nothing_to_do_says_what_is_missing(tmp_path: Path) -> None:
    result = classify(tmp_path)
    assert result.returncode == 3
    assert b"--input" in result.stderr


def test_missing_file(tmp_path: Path) -> None:
    result = classify(tmp_path, "--input", "absent.jsonl")
    assert result.returncode == 3
    assert b"absent.jsonl" in result.stderr
