"""The public sets: what each labels, in which words, under which licence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from training.data.mappings import BANKING_INTENTS, BITEXT_INTENTS, SMP_EMOTIONS


@dataclass(frozen=True, kw_only=True)
class SetSpec:
    """How a set's own labels speak to our heads. Text alone is always used by pre-training."""

    name: str
    licence: str  # as stated in its SOURCE.md
    sentiment: bool = False  # `label` is negative, neutral or positive
    auxiliary: str | None = None  # field whose values get a head of their own, dropped at export
    out_of_scope: bool = False  # commands and trivia, no message to a service
    intents: Mapping[str, str] = field(default_factory=dict)  # its label -> ours
    emotions: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[str, ...] = ("text",)  # further text fields become examples of their own
    raw: bool = False  # no labels at all
    context_field: str | None = None  # the turn before
    skip_labels: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()  # empty: all
    limit: int | None = None  # examples taken, by stable hash


NONE = "none stated"
RESEARCH = "none stated (research use)"
SERVED = frozenset(["zh", "en", "ja", "ko", "es", "de", "fr", "ru", "pt", "th", "vi", "id", "ar"])

SPECS: Mapping[str, SetSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            SetSpec(
                name="jddc_uss",
                licence="MIT on the repository; text for research use",
                auxiliary="label",
                context_field="prev_agent",
            ),
            SetSpec(name="jddc_qa", licence=RESEARCH, raw=True),
            SetSpec(name="jddc_raw", licence=RESEARCH, raw=True),
            SetSpec(name="stc3_weibo_helpdesk", licence="annotations CC BY 4.0; text none stated", auxiliary="label"),
            SetSpec(name="afqmc", licence=NONE, raw=True, fields=("text", "text2")),
            SetSpec(name="atec_pairs", licence=NONE, raw=True, fields=("text", "text2")),
            SetSpec(name="eprstmt_unlabeled", licence=NONE, raw=True),
            SetSpec(name="online_shopping_10_cats", licence=NONE, sentiment=True, auxiliary="category"),
            SetSpec(name="waimai_10k", licence=NONE, sentiment=True),
            SetSpec(name="chnsenticorp", licence=NONE, sentiment=True),
            SetSpec(name="chnsenticorp_htl_all", licence=NONE, sentiment=True),
            SetSpec(name="bdci2018_car", licence=NONE, sentiment=True, skip_labels=frozenset({"mixed"})),
            SetSpec(name="df529_bank_comments", licence=NONE, sentiment=True),
            SetSpec(name="smp2020_ewect_usual", licence=RESEARCH, emotions=SMP_EMOTIONS),
            SetSpec(name="smp2020_ewect_virus", licence=RESEARCH, emotions=SMP_EMOTIONS),
            SetSpec(name="bitext_customer_support", licence=NONE, auxiliary="label", intents=BITEXT_INTENTS),
            SetSpec(name="banking77", licence="CC BY 4.0", auxiliary="label", intents=BANKING_INTENTS),
            SetSpec(name="massive_zh_cn", licence="CC BY 4.0", auxiliary="label", out_of_scope=True),
            SetSpec(name="massive_zh_tw", licence="CC BY 4.0", auxiliary="label", out_of_scope=True),
            SetSpec(name="massive_en", licence="CC BY 4.0", auxiliary="label", out_of_scope=True),
            SetSpec(
                name="massive_multi17", licence="CC BY 4.0", auxiliary="label", out_of_scope=True, languages=SERVED
            ),
            SetSpec(name="clinc150_oos", licence="CC BY 3.0", auxiliary="label", out_of_scope=True),
            SetSpec(name="smp2017_ecdt", licence=RESEARCH, auxiliary="label", out_of_scope=True),
            SetSpec(name="smp2019_ecdt", licence=RESEARCH, auxiliary="domain", out_of_scope=True),
            SetSpec(name="airline_tweets", licence="not verified", sentiment=True),
            SetSpec(name="mlsent_id", licence="not verified", sentiment=True),
            SetSpec(name="nsmc_raw_ko", licence="CC0", sentiment=True),
            SetSpec(name="uit_vsfc_vi", licence=NONE, sentiment=True),
            SetSpec(name="umsab_tweets", licence="original tasks' terms", sentiment=True, languages=SERVED),
            SetSpec(name="vlsp2016_vi", licence=NONE, sentiment=True),
            SetSpec(name="wisesight_th", licence="CC0", sentiment=True, skip_labels=frozenset({"question"})),
        )
    }
)

# CLINC150 domains that talk to a bank or a card issuer are messages to a service, not out of scope.
CLINC_IN_SCOPE = frozenset({"banking", "credit_cards"})
# One head for the assistant commands of every MASSIVE language.
SHARED_HEADS = MappingProxyType(
    dict.fromkeys(("massive_zh_cn", "massive_zh_tw", "massive_en", "massive_multi17"), "massive")
)
