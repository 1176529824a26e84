"""The status page: what the operator knows of the pairs and of itself, for an administrator with a browser.

It reads stores, guards and circuit breakers when it is asked for, and sends no request. What it shows of an
Integration, the status of the Integration shows.
"""
