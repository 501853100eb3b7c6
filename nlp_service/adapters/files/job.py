"""What a job's output depends on: what may not change between its runs, and what its manifest says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from nlp_service.adapters.files.rows import FileRows
from nlp_service.core.columns import ColumnMapping
from nlp_service.core.labelling import ModelIdentity


def about_job(
    rows: FileRows,
    columns: ColumnMapping,
    *,
    model: ModelIdentity,
    model_sha256: str,
    policy_sha256: str,
    form: str,
    offset: timedelta,
    customers: Sequence[str],
    part_rows: int,
    partition_by: Sequence[str] = (),
    policy: str = "",
) -> dict[str, Any]:
    """Return the job's description as plain data; ``policy`` says where the policy comes from."""
    return {
        "model": {"name": model.name, "version": model.version, "sha256": model_sha256},
        "policy": policy,
        "policy_sha256": policy_sha256,
        "input": [
            {"name": file.path.name, "bytes": file.size, "sha256": file.sha256, "encoding": file.encoding}
            for file in rows.files
        ],
        "mapping": dict(columns.columns),
        "shape": columns.shape,
        "conversations": columns.shape != "messages" or "conversation_id" in columns.columns,
        "format": form,
        "utc_offset_minutes": int(offset.total_seconds() // 60),
        "customers": list(customers),
        "part_rows": part_rows,
        "partition_by": list(partition_by),
    }
