"""Load, what it costs, and the textbook variant to compare with."""
