"""The tests: one file for each promise; what they share is in tests.support."""
