"""BERTopic on given embeddings; runs in an environment of its own (see benchmarks/themes.py).

    python benchmarks/theme_peer.py INPUT.npz OUTPUT.npz default|tuned zh|en

INPUT holds ``e`` (n, d) and ``t`` (n,) texts. OUTPUT holds ``labels``, ``seconds``, and for ``tuned`` also
``reduced``: the labels after its outlier reduction by embeddings.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")


def main() -> None:
    from bertopic import BERTopic
    from hdbscan import HDBSCAN
    from sklearn.feature_extraction.text import CountVectorizer
    from umap import UMAP

    source, target, mode, language = sys.argv[1:5]
    stored = np.load(source, allow_pickle=True)
    embeddings, texts = stored["e"], [str(text) for text in stored["t"]]
    vectorizer = CountVectorizer()
    if language == "zh":
        import jieba

        jieba.setLogLevel(60)
        vectorizer = CountVectorizer(tokenizer=jieba.lcut, token_pattern=None)
    reducer = UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", low_memory=False, random_state=0)
    reducer.fit(embeddings[:500])  # its compile time is not what is measured
    parts = {"umap_model": reducer, "vectorizer_model": vectorizer, "language": "multilingual"}
    if mode == "tuned":
        parts["hdbscan_model"] = HDBSCAN(
            min_cluster_size=10, min_samples=5, cluster_selection_method="eom", prediction_data=True
        )
    model = BERTopic(**parts)
    started = time.process_time()
    labels, _ = model.fit_transform(texts, embeddings)
    result = {"labels": np.array(labels), "seconds": time.process_time() - started}
    if mode == "tuned" and -1 in labels:
        result["reduced"] = np.array(
            model.reduce_outliers(texts, list(labels), strategy="embeddings", embeddings=embeddings)
        )
    np.savez(target, **result)


if __name__ == "__main__":
    main()
