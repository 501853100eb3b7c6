"""Keys, the append-only audit log, erased messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nlp_service.adapters.db.columns import Document, Instant, Serial, StoredText, Word

revision = "0002"
down_revision = "0001"

_SQLITE = (
    """CREATE TRIGGER audit_log_fixed BEFORE UPDATE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER audit_log_kept BEFORE DELETE ON audit_log
    WHEN OLD.sequence > (SELECT coalesce(max(sequence), 0) FROM audit_anchor)
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
)
_POSTGRESQL = (
    """CREATE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
      IF OLD.sequence <= (SELECT coalesce(max(sequence), 0) FROM audit_anchor) THEN RETURN OLD; END IF;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only';
    END $$""",
    """CREATE TRIGGER audit_log_kept BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_refuse()""",
    """CREATE TRIGGER audit_log_whole BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse()""",
)


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", Word, nullable=False),
        sa.Column("name", Word, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("scopes", Document, nullable=False),
        sa.Column("departments", Document),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("created_by", Word, nullable=False),
        sa.Column("expires_at", Instant),
        sa.Column("revoked_at", Instant),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_table(
        "audit_log",
        sa.Column("sequence", Serial, nullable=False, autoincrement=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("actor", Word, nullable=False),
        sa.Column("action", Word, nullable=False),
        sa.Column("subject", Word, nullable=False),
        sa.Column("detail", StoredText, nullable=False),
        sa.Column("hash", Word, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_at", "audit_log", ["at"])
    op.create_index("ix_audit_log_subject", "audit_log", ["subject"])
    op.create_table(
        "audit_anchor",
        sa.Column("sequence", Serial, nullable=False, autoincrement=False),
        sa.Column("hash", Word, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit_anchor"),
    )
    op.create_table(
        "erased_messages",
        sa.Column("message_hash", Word, nullable=False),
        sa.Column("erased_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("message_hash", name="pk_erased_messages"),
    )
    kept = sa.text("raw_text IS NOT NULL")  # retention looks for these alone
    op.create_index("ix_messages_raw_text_kept", "messages", ["received_at"], sqlite_where=kept, postgresql_where=kept)
    for statement in _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    op.drop_index("ix_messages_raw_text_kept", "messages")
    for table in ("erased_messages", "audit_anchor", "audit_log", "api_keys"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_log_refuse")
