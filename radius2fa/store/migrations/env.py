"""Owns what Alembic runs in: the connection that it was given, and one transaction around all."""

from alembic import context

from radius2fa.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    on_version_apply=context.config.attributes["on_version_apply"],
)
with context.begin_transaction():
    context.run_migrations()
