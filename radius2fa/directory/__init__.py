"""Owns LDAP and Active Directory: who somebody is, and whether a password is theirs."""
