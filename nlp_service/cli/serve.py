"""`nlp-service serve`: the HTTP service."""

from __future__ import annotations

import errno
import json
import os
import socket
import tempfile
from pathlib import Path
from typing import Any

import typer
import uvicorn
from rich.console import Console
from uvicorn.supervisors import Multiprocess

from nlp_service.adapters.logs import configure_logs
from nlp_service.bootstrap.parts import open_database
from nlp_service.bootstrap.service import open_service
from nlp_service.contract.bundle import read_accepted, read_manifest, verify_files
from nlp_service.errors import ConfigurationError
from nlp_service.settings import Settings
from nlp_service.web.app import create_app

BACKLOG = 2048  # connections that the kernel holds while the process is busy
DRAIN_SECONDS = 8  # for requests under way when told to stop

_EXAMPLE = {"text": "都催了三次了，快递到现在一动不动，你们到底管不管？", "channel": "wechat"}


def serve(
    host: str | None = typer.Option(None, "--host", help="Address to listen on; NLP_SERVICE_HOST."),
    port: int | None = typer.Option(None, "--port", "-p", help="Port; 0 takes a free one; NLP_SERVICE_PORT."),
    workers: int | None = typer.Option(None, "--workers", help="Processes; about 300 MB each; NLP_SERVICE_WORKERS."),
    database: str | None = typer.Option(None, "--database", help="sqlite:///path or postgresql://…"),
    models: Path | None = typer.Option(None, "--models", help="Folder with bundles and accepted.json."),
) -> None:
    """Serve the API on 127.0.0.1:8080; every setting is also an environment variable NLP_SERVICE_<NAME>.

    Example:
      nlp-service serve --port 8080 --database postgresql://nlp@localhost/nlp
    """
    given: dict[str, Any] = {"host": host, "port": port, "workers": workers, "database": database, "models": models}
    given = {name: value for name, value in given.items() if value is not None}
    settings = Settings(**given)
    configure_logs(settings.log_level, settings.log_format)
    listener = _listen(settings)
    _announce(settings, listener.getsockname()[1])
    if settings.workers == 1:
        _serve_one(settings, listener)
    else:
        os.environ.update({f"NLP_SERVICE_{name.upper()}": str(value) for name, value in given.items()})
        _serve_many(settings, listener)


def _serve_one(settings: Settings, listener: socket.socket) -> None:
    with open_service(settings) as service:
        config = uvicorn.Config(create_app(settings, opened=service), **_uvicorn_options(settings))
        uvicorn.Server(config).run(sockets=[listener])


def _serve_many(settings: Settings, listener: socket.socket) -> None:
    """Check what all processes share once, then let each open its own service from the environment."""
    folder = read_accepted(settings.models)
    verify_files(folder, read_manifest(folder))
    open_database(settings).close()
    with tempfile.TemporaryDirectory(prefix="nlp-metrics-") as metrics:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
        config = uvicorn.Config(
            "nlp_service.web.app:from_environment",
            factory=True,
            workers=settings.workers,
            **_uvicorn_options(settings),
        )
        Multiprocess(config, sockets=[listener]).run()


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as exc:
        listener.close()
        remedy = "stop the other process or choose --port" if exc.errno == errno.EADDRINUSE else "check host and port"
        raise ConfigurationError(f"cannot listen on {settings.host}:{settings.port}: {exc.strerror}; {remedy}") from exc
    listener.listen(BACKLOG)
    listener.set_inheritable(True)
    return listener


def _announce(settings: Settings, port: int) -> None:
    console = Console(stderr=True)
    url = f"http://{settings.host}:{port}"
    body = json.dumps(_EXAMPLE, ensure_ascii=False)
    console.print(f"nlp-service on {url}  (web page: {url}/, API: {url}/openapi.json)", highlight=False, soft_wrap=True)
    if settings.on_loopback:
        console.print("Only this machine can reach it; no key is asked for.", style="dim")
    console.print(
        f"Try:\n  curl -s {url}/classify -H 'Content-Type: application/json' -d '{body}'",
        highlight=False,
        soft_wrap=True,
    )


def _uvicorn_options(settings: Settings) -> dict[str, Any]:
    return {
        "log_level": settings.log_level,
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "backlog": BACKLOG,
        "timeout_graceful_shutdown": DRAIN_SECONDS,
    }
