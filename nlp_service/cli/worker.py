"""`nlp-service worker`: delivery apart from the server."""

from __future__ import annotations

import asyncio
import signal

from rich.console import Console

from nlp_service.adapters.logs import configure_logs
from nlp_service.adapters.metrics import Metrics
from nlp_service.bootstrap.delivery import Delivery, open_delivery
from nlp_service.bootstrap.parts import now, open_database, open_themes
from nlp_service.flows.steer import Steer
from nlp_service.settings import Settings


def worker() -> None:
    """Deliver theme events until stopped; run as many as you like against one database.

    Set NLP_SERVICE_DELIVERY=false for the servers, so that they leave the work to the workers.

    Example:
      NLP_SERVICE_DATABASE=postgresql://nlp@localhost/nlp nlp-service worker
    """
    settings = Settings()
    configure_logs(settings.log_level, settings.log_format)
    with open_database(settings) as database:
        steer = Steer(themes=open_themes(settings, database), now=now)
        metrics = Metrics()
        if settings.metrics_port:
            metrics.expose(settings.host, settings.metrics_port)
        delivery = open_delivery(settings, database, decisions=steer, attempted=metrics.delivery.attempted)
        Console(stderr=True).print("nlp-service worker delivers; stop it with Ctrl-C", highlight=False)
        asyncio.run(_work(delivery))


async def _work(delivery: Delivery) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    await delivery.work(stop)
