"""Owns what the policy speaks of: the groups and attributes that the directory has to be asked for, and no more."""

from radius2fa.config.model import FromLdap, Settings
from radius2fa.config.policies import groups_of
from radius2fa.directory.wanted import Wanted


def wanted(settings: Settings) -> Wanted:
    """Return what is to be fetched of a person beside their id and name."""
    values = [value for policy in settings.policy for value in policy.reply.values()]
    attributes = frozenset(value.ldap for value in values if isinstance(value, FromLdap))
    groups = any(True for policy in settings.policy for _ in groups_of(policy))
    return Wanted(groups, attributes, names=any(policy.users is not None for policy in settings.policy))
