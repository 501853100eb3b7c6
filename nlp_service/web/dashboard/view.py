"""What every template is given: the language, the formats, and who looks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from nlp_service import __version__
from nlp_service.bootstrap.service import Service
from nlp_service.core.access import Principal, Scope, decide
from nlp_service.web.dashboard.words import Words, choose_language, words_of
from nlp_service.web.request import service_of

LANGUAGE_COOKIE = "nlp_language"
SCHEME_COOKIE = "nlp_scheme"
SCHEMES = ("auto", "light", "dark")

# Page, address, scope that shows it. The order is the order of a working day.
NAVIGATION = (
    ("overview", "/ui/overview", Scope.READ),
    ("themes", "/ui/themes", Scope.THEMES_READ),
    ("try", "/ui/try", Scope.CLASSIFY),
    ("review", "/ui/review", Scope.CORRECT),
    ("models", "/ui/models", Scope.MODELS),
    ("policy", "/ui/policy", Scope.MODELS),
    ("subscriptions", "/ui/subscriptions", Scope.DELIVERIES),
    ("deliveries", "/ui/deliveries", Scope.DELIVERIES),
    ("jobs", "/ui/jobs", Scope.JOBS),
)

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, kw_only=True)
class View:
    """One request seen by a template."""

    request: Request
    service: Service
    principal: Principal | None
    words: Words
    scheme: str

    @classmethod
    def of(cls, request: Request) -> View:
        language = choose_language(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""))
        scheme = request.cookies.get(SCHEME_COOKIE, "auto")
        return cls(
            request=request,
            service=service_of(request),
            principal=getattr(request.state, "principal", None),
            words=words_of(language),
            scheme=scheme if scheme in SCHEMES else "auto",
        )

    @property
    def language(self) -> str:
        return self.words.language

    @property
    def path(self) -> str:
        return str(self.request.url.path)

    @property
    def here(self) -> str:
        query = self.request.url.query
        return f"{self.path}?{query}" if query else self.path

    @property
    def navigation(self) -> list[tuple[str, str, bool]]:
        """Pages that the viewer may open: name, address, whether it is this one."""
        if self.principal is None:
            return []
        return [
            (page, address, self.path.startswith(address))
            for page, address, scope in NAVIGATION
            if decide(self.principal, scope).allowed
        ]

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.service.settings.time_zone)

    def may(self, scope: str) -> bool:
        return self.principal is not None and decide(self.principal, Scope(scope)).allowed

    def t(self, key: str, **values: object) -> str:
        return self.words.text(key, **values)

    def name(self, identifier: str) -> str:
        """Return the display name of an identifier of the taxonomy, a department or a channel."""
        known = self.words.label(identifier)
        if known is not None:
            return known
        taxonomy = self.service.model.taxonomy
        return taxonomy.name(identifier, self.language) if identifier in taxonomy.names else identifier

    def count(self, number: float) -> str:
        return f"{number:,.0f}"

    def percent(self, share: float, digits: int = 1) -> str:
        return f"{share * 100:.{digits}f}%"

    def when(self, moment: datetime) -> str:
        return moment.astimezone(self.zone).strftime("%Y-%m-%d %H:%M")

    def page(self, template: str, *, code: int = 200, **values: Any) -> HTMLResponse:
        return HTMLResponse(self._render(template, values), status_code=code)

    def part(self, template: str, *, code: int = 200, **values: Any) -> HTMLResponse:
        """Answer a piece of a page that htmx puts in its place."""
        return HTMLResponse(self._render(template, values), status_code=code)

    def _render(self, template: str, values: dict[str, Any]) -> str:
        return _environment.get_template(template).render(view=self, t=self.t, version=__version__, **values)


ViewDep = Annotated[View, Depends(View.of)]
