"""How often is the language right, and does an unserved one say so? By language, with the time a text takes.

``python -m benchmarks.language --corpora ../shared/corpora [--json benchmarks/results/language.json]``
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nlp_service.adapters.language import LanguageIdentifier
from nlp_service.contract.text import normalise

SERVED = ("zh", "en", "ja", "ko", "es", "de", "fr", "ru", "pt", "th", "vi", "id", "ar")
SETS = {
    "service_messages": "service_messages/dev.jsonl",
    "service_messages multilingual": "service_messages/multilingual_dev.jsonl",
    "massive 17 languages": "massive_multi17/dev.jsonl",
    "massive zh-CN": "massive_zh_cn/dev.jsonl",
    "massive zh-TW": "massive_zh_tw/dev.jsonl",
    "massive en": "massive_en/dev.jsonl",
}


def read(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        yield normalise(record["text"]), record.get("lang", "zh")[:2]


def measure(identifier: LanguageIdentifier, texts: list[tuple[str, str]]) -> dict[str, Any]:
    """Return accuracy by language, the recall of unserved ones, and CPU time per text."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    scripts: Counter[str] = Counter()
    began = time.process_time()
    for text, language in texts:
        result = identifier.identify(text)
        found[language][result.code] += 1
        scripts[result.script] += 1
    seconds = time.process_time() - began
    served = [(language, codes) for language, codes in found.items() if language in SERVED]
    others = [codes for language, codes in found.items() if language not in SERVED]
    total = sum(codes.total() for _, codes in served)
    return {
        "texts": len(texts),
        "accuracy": round(sum(codes[language] for language, codes in served) / max(total, 1), 4),
        "served_taken_for_unserved": round(
            sum(count for _, codes in served for code, count in codes.items() if code not in SERVED) / max(total, 1), 4
        ),
        "unserved_recall": round(
            sum(count for codes in others for code, count in codes.items() if code not in SERVED)
            / sum(codes.total() for codes in others),
            4,
        )
        if others
        else None,
        "by_language": {
            language: {"accuracy": round(codes[language] / codes.total(), 4), "taken_for": dict(codes.most_common(4))}
            for language, codes in sorted(found.items())
        },
        "scripts": dict(scripts.most_common(4)),
        "cpu_microseconds_per_text": round(1e6 * seconds / len(texts), 1),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    options.add_argument("--json", type=Path, default=Path("benchmarks/results/language.json"))
    chosen = options.parse_args()
    identifier = LanguageIdentifier.load(SERVED)
    results = {}
    for name, path in SETS.items():
        results[name] = measure(identifier, list(read(chosen.corpora / path)))
        one = results[name]
        print(f"{name:32} {one['texts']:6} texts  accuracy {one['accuracy']:.4f}  unserved {one['unserved_recall']}")
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
