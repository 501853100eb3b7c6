"""Called by alembic; the connection and its transaction belong to migrations.run."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
context.run_migrations()
