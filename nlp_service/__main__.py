"""`python -m nlp_service`."""

from nlp_service.cli.main import run

run()
