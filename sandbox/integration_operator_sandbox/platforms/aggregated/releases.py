"""Differences between the releases of EnMasse's API server (HttpUserService.java, User.java, UserSpec.java)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote_plus

FIRST_NAME = r"[a-z]+([a-z0-9\-]*[a-z0-9]+|[a-z0-9]*)"


@dataclass(frozen=True, slots=True)
class Release:
    """One release: 0.24, 0.26 or 0.30."""

    name: str
    versions: tuple[str, ...]
    user_kind: str
    cluster_wide_spaces: bool
    cluster_wide_users: bool
    strict_metadata: bool
    patch: bool
    password_with_each_put: bool
    found_by_username: bool
    missing_delete_fails: bool
    user_name: re.Pattern[str]
    username: re.Pattern[str]

    def groups(self, operation: str, address: str | None) -> set[str]:
        """Return the groups for one operation on one address (KeycloakUserApi.java:156-177 @0.22, :402-431 @0.30)."""
        if operation == "manage":
            return {"manage"} if self.name == "0.30" else {"manage", "manage_#"}
        if operation == "view" and self.name != "0.24":
            return {"monitor"} if self.name == "0.30" else {"monitor", "monitor_#"}
        encoded = quote_plus(address or "", safe="*")
        groups = {f"{operation}_{encoded}"}
        if self.name != "0.30":
            groups.add(f"{operation}_{encoded.replace('*', '#')}")
        return groups

    def operation(self, group: str) -> tuple[str, str | None]:
        """Return operation and address of a group. Raises ``ValueError`` if this release cannot read it."""
        if group in ("manage", "monitor") or group.startswith(("manage_", "monitor_")):
            return ("manage" if group.startswith("manage") else "view"), None
        operation, _, address = group.partition("_")
        if operation not in ("send", "recv", "view"):
            raise ValueError(f"No enum constant io.enmasse.user.model.v1.Operation.{operation}")
        return operation, address.replace("%2F", "/").replace("%23", "#")


_OLD_NAME = re.compile(rf"^{FIRST_NAME}\.[a-z0-9]+([a-z0-9\-]*[a-z0-9]+|[a-z0-9]*)$")
_NAME = re.compile(rf"^{FIRST_NAME}\.[a-z0-9]+([a-z0-9@.\-]*[a-z0-9]+|[a-z0-9]*)$")

RELEASES = {
    release.name: release
    for release in (
        Release(
            name="0.24",
            versions=("v1alpha1",),
            user_kind="MessagingUser",
            cluster_wide_spaces=False,
            cluster_wide_users=False,
            strict_metadata=True,
            patch=False,
            password_with_each_put=True,
            found_by_username=True,
            missing_delete_fails=True,
            user_name=_OLD_NAME,
            username=re.compile(r"^[a-z0-9]+([a-z0-9_\-]*[a-z0-9]+|[a-z0-9]*)$"),
        ),
        Release(
            name="0.26",
            versions=("v1beta1", "v1alpha1"),
            user_kind="User",
            cluster_wide_spaces=True,
            cluster_wide_users=True,
            strict_metadata=False,
            patch=False,
            password_with_each_put=False,
            found_by_username=False,
            missing_delete_fails=False,
            user_name=_NAME,
            username=re.compile(r"^[a-z0-9]+([a-z0-9_@.:\-]*[a-z0-9]+|[a-z0-9]*)$"),
        ),
        Release(
            name="0.30",
            versions=("v1beta1", "v1alpha1"),
            user_kind="MessagingUser",
            cluster_wide_spaces=True,
            cluster_wide_users=True,
            strict_metadata=False,
            patch=True,
            password_with_each_put=False,
            found_by_username=False,
            missing_delete_fails=False,
            user_name=_NAME,
            username=re.compile(r"^[a-z0-9]+([a-z0-9_@.:\-]*[a-z0-9]+|[a-z0-9]*)$"),
        ),
    )
}
