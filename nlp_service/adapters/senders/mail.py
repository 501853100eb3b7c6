"""Mail over SMTP (RFC 5321), encrypted where the server offers it and always where a password is sent."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from nlp_service.core.delivery.formats import email
from nlp_service.core.delivery.outcome import KEPT_ANSWER, Outcome
from nlp_service.core.delivery.records import Parcel
from nlp_service.errors import ConfigurationError

_NO_MAILBOX = frozenset({550, 551, 553})
_BAD_CONTENT = frozenset({552, 554})


@dataclass(frozen=True, kw_only=True)
class MailServer:
    host: str
    port: int
    sender: str  # `name <address>` or an address
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    is_encrypted: bool = False  # from the first byte; else STARTTLS where offered


def parse_mail_server(url: str, sender: str) -> MailServer:
    """Read smtp://user:password@host:587 or smtps://…; raises ConfigurationError, never showing the password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ConfigurationError("the mail server is not of the form smtp://user:password@host:587 or smtps://…")
    is_encrypted = parts.scheme == "smtps"
    return MailServer(
        host=parts.hostname,
        port=port or (465 if is_encrypted else 587),
        sender=sender,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        is_encrypted=is_encrypted,
    )


class MailSender:
    """ports.Sender for e-mail; without a server it says what is missing."""

    def __init__(self, server: MailServer | None, *, timeout: float = 20.0, tls: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._timeout = timeout
        self._tls = tls

    async def send(self, parcel: Parcel) -> Outcome:
        """Send one message to all addresses of the subscription."""
        server = self._server
        if server is None:
            return Outcome(kind="refused", detail="no mail server is set: set NLP_SERVICE_SMTP_URL and SMTP_SENDER")
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.to_thread(self._send, server, parcel)
        except TimeoutError:
            return Outcome(kind="unreachable", detail=f"no answer within {self._timeout:g} seconds")

    def _send(self, server: MailServer, parcel: Parcel) -> Outcome:
        message = email.compose(parcel.notice, sender=server.sender, to=parcel.target.to)
        try:
            with self._connect(server) as connection:
                refused = connection.send_message(message)
        except smtplib.SMTPRecipientsRefused as exc:
            return _all_refused(exc)
        except smtplib.SMTPResponseException as exc:
            kind = "invalid" if exc.smtp_code in _BAD_CONTENT and isinstance(exc, smtplib.SMTPDataError) else "refused"
            return Outcome(kind=kind, status=exc.smtp_code, detail=_text(exc.smtp_error))
        except (smtplib.SMTPException, ssl.SSLError, OSError) as exc:
            return Outcome(kind="unreachable", detail=f"{type(exc).__name__}: {exc}"[:KEPT_ANSWER])
        detail = f"refused for {', '.join(sorted(refused))}" if refused else "accepted"
        return Outcome(kind="delivered", status=250, detail=detail[:KEPT_ANSWER])

    def _connect(self, server: MailServer) -> smtplib.SMTP:
        context = self._tls or ssl.create_default_context()
        if server.is_encrypted:
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=self._timeout, context=context
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=self._timeout)
            connection.ehlo_or_helo_if_needed()
            if connection.has_extn("starttls"):
                connection.starttls(context=context)
            elif server.password:
                connection.close()
                raise smtplib.SMTPException("the server offers no STARTTLS: the password is not sent in the clear")
        if server.user and server.password:
            connection.login(server.user, server.password)
        return connection


def _all_refused(exc: smtplib.SMTPRecipientsRefused) -> Outcome:
    codes = [code for code, _ in exc.recipients.values()]
    detail = "; ".join(f"{address}: {code} {_text(said)}" for address, (code, said) in sorted(exc.recipients.items()))
    kind = "gone" if all(code in _NO_MAILBOX for code in codes) else "refused"
    return Outcome(kind=kind, status=codes[0], detail=detail[:KEPT_ANSWER])


def _text(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(text.split())[:KEPT_ANSWER]
