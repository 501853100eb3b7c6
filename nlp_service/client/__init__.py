"""A thin typed client: sync and async, with retries that never store a message twice."""

from nlp_service.client.calls import AsyncClient, Client
from nlp_service.client.errors import ServiceError, ServiceRefusedError, ServiceUnreachableError
from nlp_service.client.webhooks import verify_webhook

__all__ = ["AsyncClient", "Client", "ServiceError", "ServiceRefusedError", "ServiceUnreachableError", "verify_webhook"]
