"""Owns turning the configuration file into checked, frozen values: unknown keys refused, all faults at once."""
