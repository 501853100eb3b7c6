"""Schema revisions and the functions that apply them from within the program."""

from nlp_service.adapters.db.migrations.run import current, head, migrate

__all__ = ["current", "head", "migrate"]
