"""Owns the decision: may this person, with this password and this code, come in by this client?

Knows neither RADIUS nor LDAP nor SQL, and uses no library. The whole decision is read in `authenticate`.
"""
