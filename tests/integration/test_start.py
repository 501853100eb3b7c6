"""What a serving process loads before it is ready: each of these costs tenths of a second and tens of megabytes."""

from __future__ import annotations

import subprocess
import sys

from alembic.config import Config
from alembic.script import ScriptDirectory

from nlp_service.adapters.db.migrations import head, run

HEAVY = (
    "scipy.special",
    "scipy.sparse",
    "scipy.optimize",
    "sknetwork",
    "rjieba",
    "alembic",
    "pyarrow",
    "ray",
)


def test_serving_loads_nothing_that_it_does_not_need() -> None:
    code = f"import nlp_service.cli.serve, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_newest_revision_is_the_last_of_the_chain() -> None:
    config = Config()
    config.set_main_option("script_location", str(run.__file__).removesuffix("/run.py"))
    config.set_main_option("path_separator", "os")
    assert head() == ScriptDirectory.from_config(config).get_current_head()
