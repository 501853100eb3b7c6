"""Real messages of about 10, 30 and 80 tokens for the speed benchmarks, and where their results go."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from nlp_service.contract.corpus import read_records
from nlp_service.contract.encode import SegmentTokenizer
from nlp_service.contract.inputs import compose

RESULTS = Path(__file__).parent / "results"
SIZES = {"short": (9, 11), "medium": (27, 33), "long": (72, 88)}  # tokens with <s> and </s>


def real_messages(corpora: Path, tokenizer: SegmentTokenizer, *, most: int = 512) -> dict[str, list[str]]:
    """Return distinct normalised messages by size, without context; exits with a message where there are no corpora."""
    path = corpora / "service_messages" / "train.jsonl"
    if not path.is_file():
        sys.exit(f"{path} is not there: this benchmark measures on real messages; give their folder with --corpora")
    texts = list(dict.fromkeys(compose(record.text)[0] for record in read_records(path)))
    lengths = [len(reading.windows[0]) for reading in tokenizer.read([(text, "") for text in texts])]
    chosen: dict[str, list[str]] = {size: [] for size in SIZES}
    for text, length in zip(texts, lengths, strict=True):
        for size, (least, greatest) in SIZES.items():
            if least <= length <= greatest and len(chosen[size]) < most:
                chosen[size].append(text)
    return chosen


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 1),
    }


def write_results(name: str, results: dict[str, Any]) -> Path:
    """Write benchmarks/results/<name>.json."""
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path
