"""A self-hosted second-factor RADIUS server in front of LDAP and Active Directory."""

__version__ = "0.1.0"
