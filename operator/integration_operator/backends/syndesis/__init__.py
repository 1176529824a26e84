"""Connections on a Syndesis server, over its REST API.

Each rule has a reason in Syndesis's source; the docstrings name the file and line. The rules were read from releases
1.4 to 1.15 and observed on a running 1.13.2.
"""
