"""Services with one part swapped. The product has no such switches."""
