"""Reads the four databases and the dead letters, and says what disagrees."""
