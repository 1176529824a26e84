"""What the product knows, as pure functions: no I/O, no clock, no randomness."""
