"""Our reading of py3langid's model says what the library's own says."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pytest
from py3langid import langid
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from nlp_service.adapters import language_model
from nlp_service.core.language import NEIGHBOURS
from nlp_service.errors import ConfigurationError

ASKED = {"zh", "en", "de", "es", "fr", "pt", "id", "vi", "ru", "ar", *NEIGHBOURS}
TEXTS = (
    "",
    "ok",
    "Where is my parcel? It was due last Tuesday and nobody answers the phone.",
    "Wo bleibt mein Paket, es sollte schon am Dienstag da sein",
    "¿Dónde está mi pedido? Quiero que me devuelvan el dinero",
    "Onde está a minha encomenda, já passaram dez dias",
    "Barang saya belum sampai, tolong dicek ya",
    "Đơn hàng của tôi đâu rồi",
    "Где мой заказ, я жду уже две недели",
    "أين طلبي لم يصل بعد",
    "पार्सल कहाँ है",
    "我的快递到哪了",
)


def test_ranks_are_those_of_the_library() -> None:
    whole = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    whole.set_languages(sorted(ASKED & set(whole.labels)))
    ours = language_model.read_model(ASKED)
    assert [ours.rank(text) for text in TEXTS] == [whole.rank(text) for text in TEXTS]


def test_another_format_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.npz.xz"
    with lzma.open(path, "wb") as stream:
        np.savez(stream, ptc=np.zeros((2, 2), dtype=np.float16))
    monkeypatch.setattr(langid, "MODEL_FILE", str(path))
    with pytest.raises(ConfigurationError, match="another format"):
        language_model.read_model(ASKED)
