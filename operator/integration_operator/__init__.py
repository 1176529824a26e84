"""Pairs EnMasse address spaces with Syndesis and delivers each pair as a messaging user and a connection."""

__version__ = "0.1.0"
