"""The messaging user by way of EnMasse's own Keycloak, for releases that serve no MessagingUser that can be used.

It takes Keycloak's admin password, the power over all tenants, to make one user: this is the last choice. So nothing is
written before the realm has said whose it is, nothing that is not ours is ever touched, and what is written is what
EnMasse itself would have written, so that EnMasse goes on working, and a later release takes the user over.
"""
