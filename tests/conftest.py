"""Fixtures for everyone: a fresh database per test module on SQLite and on PostgreSQL, and the taxonomy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.migrations import migrate
from nlp_service.contract.taxonomy import Taxonomy, load_taxonomy
from tests.postgres import Cluster, NoPostgres, listening

ROOT = Path(__file__).parent.parent

settings.register_profile("busy", deadline=None)  # time on a shared machine says nothing about the code
settings.load_profile("busy")


@pytest.fixture(autouse=True, scope="session")
def scrubbed_environment() -> None:
    """Settings of the developer's shell must not change what is tested."""
    for name in [name for name in os.environ if name.startswith("NLP_SERVICE_")]:
        del os.environ[name]


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return load_taxonomy(ROOT / "corpora" / "taxonomy.yaml")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Return the URL of a server on which databases can be created; skips with the reason where there is none."""
    url = listening()
    if url is not None:
        yield url
        return
    try:
        cluster = Cluster()
    except (NoPostgres, OSError) as exc:
        pytest.skip(f"no PostgreSQL to test with: {exc}")
    try:
        cluster.start()
        yield cluster.url
    finally:
        cluster.remove()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrate(f"sqlite:///{path}")
    return path


class PostgresDatabases:
    """Databases copied from one migrated template, all dropped at the end."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._template = f"nlp_service_test_{os.getpid()}"
        self._created = [self._template]
        _execute(server, f"CREATE DATABASE {self._template}")
        migrate(_with_name(server, self._template))

    def create(self, *, empty: bool = False) -> str:
        name = f"{self._template}_{len(self._created)}"
        _execute(self._server, f"CREATE DATABASE {name} TEMPLATE {'template0' if empty else self._template}")
        self._created.append(name)
        return _with_name(self._server, name)

    def drop(self) -> None:
        for name in self._created:
            _execute(self._server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: str) -> Iterator[PostgresDatabases]:
    databases = PostgresDatabases(postgres_server)
    yield databases
    databases.drop()


@pytest.fixture(scope="session")
def make_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Return a function that creates a migrated, empty database of a kind and returns its URL."""

    def make(kind: str) -> str:
        if kind == "postgresql":
            return str(request.getfixturevalue("postgres_databases").create())
        path = tmp_path_factory.mktemp("db") / "service.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"

    return make


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> str:
    """URL of a migrated database that is empty at the start of the module."""
    return make_database(request.param)


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[Database]:
    with Database.open(database_url) as opened:
        yield opened


def _with_name(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]
