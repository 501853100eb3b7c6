"""Tables, stores and migrations on SQLite and PostgreSQL."""
