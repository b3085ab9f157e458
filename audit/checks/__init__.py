"""The checks, a group of invariants a file."""
