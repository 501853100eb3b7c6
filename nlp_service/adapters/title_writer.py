"""Titles of themes written by an OpenAI-compatible endpoint; off unless the operator names one, never required.

It sees key phrases and masked quotes alone. Whatever goes wrong, the title found in the customers' own words stays.
"""

from __future__ import annotations

import httpx
import structlog

from nlp_service.core.themes.values import Name

LONGEST = 30  # characters of a title that is accepted
TIMEOUT = 10.0  # seconds for one title
log = structlog.get_logger(__name__)
_PROMPT = (
    "Customers of a company keep saying the same thing. Write what they say as one short heading in {language}, "
    "at most 12 words or 15 Chinese characters, in their own plain words, naming the matter and what is wrong "
    "with it. Answer with the heading alone.\nKey phrases: {phrases}\nMessages:\n{quotes}"
)


class TitleWriter:
    """Call it with a name; returns a title, or None where the found one should stay."""

    def __init__(
        self, *, url: str, model: str, key: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._url = f"{url.rstrip('/')}/chat/completions"
        self._model = model
        self._client = httpx.Client(timeout=TIMEOUT, headers=headers, follow_redirects=False, transport=transport)

    def __call__(self, name: Name) -> str | None:
        """Ask for a title; an answer that is empty, long or of several lines is not taken."""
        prompt = _PROMPT.format(
            language="Chinese" if name.language == "zh" else f"the language {name.language}",
            phrases=", ".join(name.phrases),
            quotes="\n".join(f"- {quote.text[:200]}" for quote in name.quotes),
        )
        body = {"model": self._model, "temperature": 0, "messages": [{"role": "user", "content": prompt}]}
        try:
            answer = self._client.post(self._url, json=body)
            answer.raise_for_status()
            title = str(answer.json()["choices"][0]["message"]["content"]).strip().strip("\"'“”「」。")
        except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError) as exc:
            log.warning("title not written", endpoint=self._url, reason=f"{type(exc).__name__}: {exc}")
            return None
        if not title or "\n" in title or len(title) > LONGEST * (1 if name.language in ("zh", "ja", "ko") else 3):
            log.warning("title not taken", endpoint=self._url, title=title[:100])
            return None
        return title

    def close(self) -> None:
        self._client.close()
