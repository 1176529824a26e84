"""docs/reference/settings.md: every setting, from the model that reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from integration_operator.domain.policies.pairing import RULES
from integration_operator.settings import PROFILES, Settings
from tools.reference.markdown import GENERATED, code, codes, table

HEAD = f"""\
# All settings

{GENERATED.format(source="operator/integration_operator/settings.py")}
[Settings](../settings.md) says how to set them: as a flag (`--pairing-rules`), a variable
(`INTEGRATION_OPERATOR_PAIRING_RULES`) or a key of the file (`pairing_rules`).

"""

DETAILS = {
    "kubeconfig": "The files of `$KUBECONFIG` are merged; the first one to set a value wins.",
    "templates": "A file with another name is refused ([templates](../templates.md)).",
    "profile": "Your own settings override the preset.",
    "namespaces": "With a Role in each instead of a ClusterRole ([some namespaces](../installing.md#some-namespaces)).",
    "pairing_rules": "`created-by` is not a default, because a tenant can write that annotation on its own Syndesis.",
    "address_spaces": "`crd`: watched. `aggregated`: polled.",
    "user_delivery": "See [earlier releases](../compatibility.md).",
    "connection_delivery": "See [earlier releases](../compatibility.md).",
    "poll_seconds": "With jitter.",
    "syndesis_url": "A trailing `/api/v1` is removed.",
    "enmasse_release": "They are exactly that release's. Without it a user gets the groups that work in all releases "
    "from 0.23, and `view` has no effect.",
    "enable_new": "Also those of other namespaces: the administrator decides for the receivers.",
    "allow_keycloak": "Without it `spec.delivery.user: keycloak` has no effect (`KeycloakNotAllowed`).",
    "teardowns_per_minute": "The first 1000 are taken down at once. Withdrawn consent, a disabled and a deleted "
    "Integration are never limited.",
    "answer_bytes": "The default is twice a page of 100 connections with their connectors.",
    "page_bytes": "An object has up to 1.5 MiB.",
    "workers": "It is also the number of requests in flight.",
    "resync_seconds": "Spread over the period, and no request if nothing differs.",
    "mass_delete_share": "See [what is kept](../what-happens-when.md#what-is-kept).",
    "leader_elect": "True in `deploy/`, with two replicas.",
    "lease_seconds": "See [replicas](../settings.md#replicas).",
    "admission": "See [warnings](../admission.md).",
    "admission_host": "It is in the operator's own certificate.",
    "admission_configuration": "The operator completes it.",
    "status_page": "See [the status page](../status-page.md).",
    "metrics_authentication": "See [who may read](../status-page.md#who-may-read).",
    "probe_port": "`/healthz` fails if a worker hangs, not if the API server does not answer.",
    "metrics_port": "`/readyz` is not ready while a kind is neither in sync nor absent, and names the kind and the "
    "reason.",
}
"""What the help of a flag has no room for, and links to other pages."""

BOUNDS = (("ge", "at least {}"), ("le", "at most {}"), ("pattern", "matches `{}`"))
"""Attributes of pydantic's constraints and what they mean; ``{}`` is the value."""


def page() -> str:
    """Return the text of the page."""
    rows = (
        (code(name), values(name), default(name), f"{field.description} {DETAILS.get(name, '')}")
        for name, field in Settings.model_fields.items()
    )
    return f"{HEAD}{table(('setting', 'values', 'default', 'meaning'), rows)}\n## Profiles\n\n{_profiles()}"


def values(name: str) -> str:
    """Return the values that a setting may have."""
    field = Settings.model_fields[name]
    if name == "pairing_rules":
        return f"list of {codes(RULES)}"
    if get_origin(field.annotation) is Literal:
        return codes(get_args(field.annotation))
    return "; ".join([_type(field.annotation), *_bounds(field.metadata)])


def default(name: str) -> str:
    """Return the default of a setting as the file has it; empty if there is none."""
    value = Settings.model_fields[name].default
    if value in (None, ()):
        return ""
    if isinstance(value, tuple):
        return code(",".join(value))
    if isinstance(value, float):
        return code(f"{value:g}")
    return code(str(value).lower() if isinstance(value, bool) else value)


def _type(annotation: Any) -> str:
    candidates = (annotation, *get_args(annotation))
    if get_origin(annotation) is tuple:
        return "list of names"
    words = {bool: "true or false", int: "number", float: "number", Path: "path"}
    return next((word for type_, word in words.items() if type_ in candidates), "text")


def _bounds(metadata: list[Any]) -> Iterator[str]:
    for constraint in metadata:
        for attribute, text in BOUNDS:
            value = getattr(constraint, attribute, None)
            if value is not None:
                yield text.format(value)


def _profiles() -> str:
    rows = (
        (code(profile), codes(f"{name}={_text(value)}" for name, value in preset.items()))
        for profile, preset in PROFILES.items()
        if preset
    )
    return table(("profile", "presets"), rows)


def _text(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
