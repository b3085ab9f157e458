"""Reserves and releases stock; owns the reservations."""
