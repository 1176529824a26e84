"""The types of the domain: pairs, platforms, Integrations, credentials, facts, checks, conditions and actions."""
