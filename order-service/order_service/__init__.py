"""Owns the orders; nobody else writes them."""
