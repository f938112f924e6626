"""Run by Alembic: applies the migrations over the connection that :func:`include.images.schema.migrate` has made."""

from __future__ import annotations

from alembic import context

from include.images.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
