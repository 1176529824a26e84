"""The plan for a pair: pure functions from facts to conditions and actions, one for each step."""
