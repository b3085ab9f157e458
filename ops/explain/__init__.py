"""What became of one checkout, or where it is stuck and what to do next, in plain English."""
