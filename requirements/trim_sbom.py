"""Keep of each part its name, version, address in the package ecosystem and hashes; no registry is named.

python requirements/trim_sbom.py requirements/sbom.cdx.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    for part in document["components"]:
        files = [entry for entry in part.pop("externalReferences", []) if entry["type"] == "distribution"]
        part["hashes"] = [entry for file in files for entry in file.get("hashes", [])]
        part.pop("description", None)
    document["metadata"].pop("tools", None)
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
