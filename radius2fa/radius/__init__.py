"""Owns octets to and from requests and replies: codec, attributes, clients, duplicates. No I/O."""
