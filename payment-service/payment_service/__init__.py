"""Charges and refunds; owns the payments."""
