"""Strangers' words over real HTTP: they stay text on the pages, and neither they nor forged lines reach the log."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest

from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.themes import Themes
from nlp_service.adapters.files import opening
from nlp_service.core.themes.values import Change
from nlp_service.errors import InputError
from tests.acceptance.server import Served, serve
from tests.bundles import write_bundle
from tests.examples import theme

ATTACK = "<script>document.title='broken'</script><img src=x onerror=alert(1)>'\"--></style>"
FORGED = "x\n2026-01-01 [error] forged line\r\x1b[31mred"
PRIVATE = "我住在樱花路七号附近"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_bundle(folder / "small")
    pointer = {"name": "tests", "version": "0.0.1", "path": "small"}
    (folder / "accepted.json").write_text(json.dumps(pointer), encoding="utf-8")
    return folder


@pytest.fixture(scope="module", params=["json", "console"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Served]:
    """A service that logs all that it can."""
    folder = tmp_path_factory.mktemp(f"told-{request.param}")
    settings = {"NLP_SERVICE_LOG_FORMAT": request.param, "NLP_SERVICE_LOG_LEVEL": "debug"}
    with serve(folder, NLP_SERVICE_MODELS=str(models), **settings) as running:
        yield running


def test_no_words_of_customers_and_no_forged_line_reach_the_log(told: Served, request: pytest.FixtureRequest) -> None:
    client = told.client
    body = {"id": "log-1", "text": PRIVATE + FORGED, "customer_id": "c-log", "context": [f"顾客: {PRIVATE}"]}
    assert client.post("/classify", json=body).status_code == 200
    assert client.post("/classify", json=body | {"amount": -1}).status_code == 422
    assert client.post("/classify", content=PRIVATE.encode()).status_code == 422
    for path in (f"/themes/{quote(FORGED)}", f"/customers/{quote(FORGED)}/export", f"/{quote(FORGED)}"):
        assert client.get(path).status_code == 404
    client.get("/models", headers={"X-Request-Id": "forged\tid", "User-Agent": "agent [error] forged"})
    _break_the_store(told)
    failed = client.post("/classify", json=body | {"id": "log-2"}, headers={"X-Request-Id": "traced-7"})
    assert failed.status_code in {500, 503}
    assert failed.headers["X-Request-Id"] == "traced-7"
    assert PRIVATE not in failed.text
    told.stop()
    log = "".join(told.log)
    assert "traced-7" in log  # the failure is told, under the request's id
    assert "樱花路" not in log
    assert "c-log" not in log
    assert not [line for line in log.splitlines() if line.startswith(("2026-01-01", "red"))]
    assert "\x1b[31m" not in log.replace("\x1b[31m\x1b[1m", "")
    if "json" in request.node.name:
        lines = [line for line in log.splitlines() if line.startswith("{")]
        assert all(json.loads(line)["level"] for line in lines)


def _break_the_store(told: Served) -> None:
    with Database.open(told.database) as database:
        database.transaction(lambda connection: connection.exec_driver_sql("DROP TABLE theme_members") and None)
        database.transaction(
            lambda connection: connection.exec_driver_sql("ALTER TABLE labellings RENAME TO elsewhere") and None
        )


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("shown")
    with serve(folder, NLP_SERVICE_MODELS=str(models)) as running:
        running.client.post("/classify", json={"id": "x-1", "text": ATTACK, "customer_id": ATTACK}).raise_for_status()
        with Database.open(running.database) as database:
            made = theme(ATTACK)
            change = Change(theme_id=made.id, kind="new", reason=ATTACK, at=made.created_at)
            Themes(database).add(made, [], [change])
        yield running


@pytest.mark.parametrize("page", ["/ui/themes", "/ui/themes/{theme}", "/ui/overview", "/themes/report?format=html"])
def test_markup_in_messages_is_text_on_the_page(shown: Served, page: str) -> None:
    found = shown.client.get(page.format(theme=theme(ATTACK).id), params=None)
    assert found.status_code == 200
    read = Scripts()
    read.feed(found.text)
    assert "document.title" not in "".join(read.scripts)
    assert not [name for name in read.attributes if name.startswith("on")]
    assert "script-src" not in found.headers["Content-Security-Policy"]
    assert "default-src 'self'" in found.headers["Content-Security-Policy"]


def test_what_is_tried_is_text_on_the_page(shown: Served) -> None:
    found = shown.client.post("/ui/try", data={"text": ATTACK})
    read = Scripts()
    read.feed(found.text)
    assert found.status_code == 200
    assert "document.title" not in "".join(read.scripts)
    assert not [name for name in read.attributes if name.startswith("on")]


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2f..%2fapp.py", "/static//etc/passwd",
     "/jobs/..%2f..%2f/files/service.db", "/jobs/job_x/files/..%2f..%2fservice.db"],
)  # fmt: skip
def test_no_path_leaves_its_folder(shown: Served, path: str) -> None:
    assert shown.client.get(path).status_code == 404


def test_an_upload_keeps_no_path_of_its_sender(shown: Served, tmp_path: Path) -> None:
    for name in ("../../evil.csv", "..\\..\\evil.csv", "/etc/evil.csv", ".hidden.csv", "a\x00b.csv"):
        asked = shown.client.post("/relabel-jobs/upload", files={"file": (name, b"text\nhello\n")})
        assert asked.status_code in {202, 400, 422}
        if asked.status_code == 202:
            shown.client.post(f"/jobs/{asked.json()['id']}/cancel")
    folder = Path(shown.database.removeprefix("sqlite:///")).parent
    written = {path.relative_to(folder).parts[:2] for path in folder.rglob("*evil*")}
    assert {parts[0] for parts in written} <= {"data"}
    assert not (folder.parent / "evil.csv").exists()


def test_a_workbook_that_expands_beyond_reason_is_refused(tmp_path: Path) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(opening.FREE_EXPANSION + 1))
    path = tmp_path / "bomb.xlsx"
    path.write_bytes(bomb.getvalue())
    with pytest.raises(InputError, match="times its size: refused"):
        opening.check_archive(path)


class Scripts(HTMLParser):
    """Collects what a browser would run."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.attributes: set[str] = set()
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script"
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts.append(data)
