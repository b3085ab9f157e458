"""Drives the checkout saga; owns the sagas and their logs."""
