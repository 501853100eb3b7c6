"""The industry packs: whole, loadable with the shipped labels and with their own, deciding as they say."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from nlp_service.contract.taxonomy import Taxonomy, load_taxonomy, parse_taxonomy
from nlp_service.core.policy import Facts, Policy, load_policy, prioritise, route
from nlp_service.errors import TaxonomyError
from tests.unit.core.facts import facts, labels
from training.industry import extend

CORPORA = Path(__file__).resolve().parents[2] / "corpora"
CORE = load_taxonomy(CORPORA / "taxonomy.yaml")
PACKS = sorted(path.parent.name for path in (CORPORA / "industries").glob("*/policy.yaml"))


def policy_of(pack: str, taxonomy: Taxonomy) -> Policy:
    path = CORPORA / "industries" / pack / "policy.yaml"
    return load_policy(path.read_text(encoding="utf-8"), taxonomy, where=str(path))


def test_the_three_trades_are_there() -> None:
    assert PACKS == ["bank", "ecommerce", "telecom"]


@pytest.mark.parametrize("pack", PACKS)
def test_intents_are_added_behind_the_core_ones(pack: str) -> None:
    taxonomy = parse_taxonomy(extend(CORPORA / "taxonomy.yaml", CORPORA / "industries" / pack))
    core = list(CORE.intents)
    assert list(taxonomy.intents)[: len(core)] == core
    added = list(taxonomy.intents.values())[len(core) :]
    assert len(added) == 4
    known = {*CORE.departments, *policy_raw(pack)["departments"]}
    for intent in added:
        assert set(intent.names) >= {"zh", "en"}
        assert len(intent.covers) > 40, "the border to the neighbours matters most"
        assert intent.department in known
    assert policy_of(pack, taxonomy).priority


def policy_raw(pack: str) -> dict[str, list[str]]:
    raw: dict[str, list[str]] = yaml.safe_load(
        (CORPORA / "industries" / pack / "policy.yaml").read_text(encoding="utf-8")
    )
    return raw


@pytest.mark.parametrize(
    ("pack", "message", "level", "department"),
    [
        ("bank", facts(labels("security")), "urgent", "fraud_desk"),
        ("bank", facts(labels("payment_problem"), amount=10_000, product="信用卡"), "urgent", "card_desk"),
        ("bank", facts(labels("payment_options"), product="房贷"), "normal", "lending"),
        ("bank", facts(labels("escalation", sentiment="negative")), "normal", "complaints_office"),
        ("telecom", facts(labels("repair_request", emotion="anger"), product="家庭宽带"), "urgent", "field_engineers"),
        ("telecom", facts(labels("product_defect")), "normal", "network_operations"),
        ("telecom", facts(labels("account_closure", sentiment="negative")), "urgent", "retention"),
        ("telecom", facts(labels("billing", sentiment="negative"), amount=260), "urgent", "billing_desk"),
        ("ecommerce", facts(labels("delivery_delay"), product="生鲜礼盒"), "urgent", "fresh_goods"),
        ("ecommerce", facts(labels("complaint", sentiment="negative"), channel="微博"), "urgent", "public_relations"),
        ("ecommerce", facts(labels("praise", sentiment="positive")), "low", "general_desk"),
    ],
)
def test_a_pack_decides_as_its_trade_does(pack: str, message: Facts, level: str, department: str) -> None:
    policy = policy_of(pack, CORE)
    priority = prioritise(message, policy, CORE)
    assert priority.level == level
    assert route(message, priority, policy, CORE).department == department


def test_a_core_identifier_cannot_be_taken(tmp_path: Path) -> None:
    entry = {"group": "order", "zh": "x", "en": "x", "route": "order_desk"}
    (tmp_path / "intents.yaml").write_text(yaml.safe_dump({"intents": {"order_status": entry}}))
    with pytest.raises(TaxonomyError, match="order_status"):
        extend(CORPORA / "taxonomy.yaml", tmp_path)


def test_an_entry_that_is_not_whole_is_named(tmp_path: Path) -> None:
    (tmp_path / "intents.yaml").write_text(yaml.safe_dump({"intents": {"own": {"group": "order", "zh": "x"}}}))
    with pytest.raises(TaxonomyError, match="route"):
        extend(CORPORA / "taxonomy.yaml", tmp_path)
