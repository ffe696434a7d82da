"""Owns what the portal has to know of people beyond their names: their groups, for its roles, and where to write to."""

from radius2fa.config.model import Settings
from radius2fa.directory.wanted import Wanted


def portal_wanted(settings: Settings) -> Wanted:
    """Return what is to be fetched of a person beside their id and name."""
    portal = settings.portal
    attributes = frozenset({portal.mail.attribute}) if portal.mail else frozenset[str]()
    return Wanted(bool(portal.helpdesk_groups or portal.admin_groups), attributes)
