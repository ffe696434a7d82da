"""Owns the pages of the helpdesk and of administrators: people, stock, rollout, audit. Nobody else gets them."""
