"""`python -m nlp_service.cli`."""

from nlp_service.cli.main import run

run()
