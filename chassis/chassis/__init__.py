"""Plumbing that every service stands on; it knows no order, payment or stock."""
