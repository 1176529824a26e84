"""Connections on a Syndesis server, over its REST API.

Every rule here was a defect somewhere: which they are stands in the docstrings, with the place in Syndesis's source
that makes it necessary. They were read from releases 1.4 to 1.15, and seen on a running 1.13.2.
"""
