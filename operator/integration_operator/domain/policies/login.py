"""The user name that the pair's connection logs in with."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.credential import Credential, credential_of_secret
from integration_operator.domain.model.facts import PlanSettings
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.remote_state import RemoteSides
from integration_operator.domain.policies.integrations import rank
from integration_operator.runtime.live_object import LiveObject
from integration_operator.runtime.ref import Ref


def provided_secret_ref(integration: Integration | None) -> Ref | None:
    """Return the Secret that an Integration names in ``spec.credentialsSecretRef``."""
    reference = integration.spec.credentials_secret_ref if integration else None
    return Ref(integration.ref.namespace, reference.name) if integration and reference else None


def provided_username(integration: Integration | None, secret: LiveObject | None) -> str | None:
    """Return the user name in the Secret that an Integration names."""
    reference = integration.spec.credentials_secret_ref if integration else None
    if reference is None or secret is None:
        return None
    credential = credential_of_secret(
        secret,
        username_key=reference.username_key or names.USERNAME_KEY,
        password_key=reference.password_key or names.PASSWORD_KEY,
    )
    return credential.username if credential else None


def generated_username(
    pair: Pair,
    *,
    remote: RemoteSides,
    secret: LiveObject | None,
    inherited: str | None,
    existing: Collection[str],
    noted: str | None = None,
) -> str:
    """Return the user name of a login that no user chose: that of the login that exists, else the first of two.

    What the Secret says comes first: it is written before any other system knows the user. Without it, a user in
    Keycloak counts that the status has noted, then the login that is ``inherited`` from the proof of concept, then a
    MessagingUser of the pair, whose user name is in ``existing``. Of two such, the one that the status has ``noted`` is
    in use.
    """
    own = naming.usernames(pair)
    stored = stored_credential(secret)
    if stored is not None and stored.username in own:
        return stored.username
    for user in (remote.user, remote.second_user):
        if user.present and user.delivery == "keycloak" and user.id in own:
            return str(user.id)
    return inherited or next((name for name in (noted, *own) if name is not None and name in existing), own[0])


def inherited_username(pair: Pair, integration: Integration | None, same_name: Iterable[Integration]) -> str | None:
    """Return the user name of the login that a pair inherits from the proof of concept: the Integration's own name.

    The name identifies only the AddressSpace: of the Integrations of the ``same_name`` for it, the oldest inherits the
    login, if there is one.
    """
    if integration is None or naming.space_of_proof_of_concept(integration.ref.name) != pair.space.name:
        return None
    if pair.is_binding:  # the proof of concept knew only Syndesis
        return None
    oldest = rank([*same_name, integration])[0]
    return integration.ref.name if oldest.ref == integration.ref else None


def uses_inherited(
    inherited: str | None, integration: Integration | None, secret: LiveObject | None, settings: PlanSettings
) -> bool:
    """Check if the login that a pair inherits is the one to use.

    Only Keycloak shows whether it exists, and adopts it. Afterwards the Secret or the status says so, and every other
    delivery keeps it.
    """
    if integration is None or inherited is None:
        return False
    stored = stored_credential(secret)
    noted = (integration.delivered.get("user") or {}).get("username")
    if inherited in (stored.username if stored else None, noted):
        return True
    requested = (integration.spec.delivery and integration.spec.delivery.user) or "auto"
    keycloak = (settings.user_delivery if requested == "auto" else requested) == "keycloak"
    return keycloak and stored is None


def stored_credential(secret: LiveObject | None) -> Credential | None:
    """Return the credential in the pair's own Secret, unless the Secret is being deleted."""
    return credential_of_secret(secret) if secret is not None and not secret.deleting else None
