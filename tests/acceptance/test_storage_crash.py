"""A writer killed at random moments: what it acknowledged is there, and nothing is there by half."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
WRITER = """
import sys, threading
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.messages import Messages
from tests.examples import labelling, message

database = Database.open(sys.argv[1])
store = Messages(database, mask=str)

def work(name):
    for i in range(100_000):
        key = f"{sys.argv[2]}-{name}-{i}"
        pairs = [(message(f"{key}-{j}"), labelling(f"{key}-{j}")) for j in range(3)]
        store.save(pairs).result()
        sys.stdout.write(key + "\\n")
        sys.stdout.flush()

for name in range(8):
    threading.Thread(target=work, args=(name,), daemon=True).start()
threading.Event().wait()
"""


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_writer_loses_nothing_acknowledged(make_database: Callable[[str], str], seed: int) -> None:
    url = make_database("sqlite")
    patience = random.Random(seed)
    acknowledged: list[str] = []
    for life in range(3):
        acknowledged += one_life(url, f"{seed}-{life}", seconds=patience.uniform(0.05, 0.6))

    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        stored = {row[0] for row in connection.execute("SELECT id FROM messages")}
        labelled = [row[0] for row in connection.execute("SELECT message_id FROM labellings")]
        damage = connection.execute("PRAGMA integrity_check").fetchall()
    connection.close()

    assert acknowledged
    assert {f"{key}-{j}" for key in acknowledged for j in range(3)} <= stored
    assert sorted(labelled) == sorted(stored)
    assert len(stored) % 3 == 0  # a save of three is there whole or not at all
    assert damage == [("ok",)]


def one_life(url: str, name: str, *, seconds: float) -> list[str]:
    """Run a writer, kill it some time after its first acknowledgement, and return what it acknowledged."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, url, name], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first = process.stdout.readline()
    assert first, "the writer ended by itself"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.wait(30)
    process.stdout.close()
    complete = rest[: rest.rfind("\n") + 1].splitlines()  # the last line may be cut, not what it stands for
    return [first.strip(), *complete]
