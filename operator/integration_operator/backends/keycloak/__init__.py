"""Messaging users in EnMasse's Keycloak, for releases without a usable MessagingUser.

This delivery needs the admin password of Keycloak, which has power over all tenants, so it is the last choice. The
backend verifies the realm before it writes, never changes a foreign user, and writes what EnMasse itself would write,
so that EnMasse goes on working and a later release adopts the user.
"""
