"""The names of groups, by release: what EnMasse's brokers match and what EnMasse can read back."""

from __future__ import annotations

from typing import Any

import pytest

from integration_operator.backends.keycloak.groups import group_names, is_permission, release_of, url_encode


def rule(*operations: str, at: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"operations": list(operations), "addresses": list(at)}


ALL = rule("send", "recv", at=("*",))


@pytest.mark.parametrize(
    ("release", "space", "rules", "groups"),
    [
        ("0.22", "standard", [ALL], ["send_*", "recv_*"]),
        ("0.22", "brokered", [ALL], ["send_*", "send_#", "recv_*", "recv_#"]),
        ("0.22", "standard", [rule("send", at=("a/b c",))], ["send_a/b c"]),
        ("0.23.1", "standard", [rule("send", at=("a/b c",))], ["send_a%2Fb+c"]),
        ("0.25", "brokered", [rule("recv", at=("a/*",))], ["recv_a%2F*", "recv_a%2F#"]),
        ("0.25", "brokered", [rule("manage")], ["manage", "manage_#"]),
        ("0.25", "standard", [rule("manage")], ["manage"]),
        ("0.25", "standard", [rule("view", at=("*",))], []),
        ("0.26", "brokered", [rule("view")], ["monitor", "monitor_#"]),
        ("0.26.7", "brokered", [ALL], ["send_*", "send_#", "recv_*", "recv_#"]),
        ("0.27", "brokered", [ALL], ["send_*", "recv_*"]),
        ("0.30.3", "brokered", [rule("manage", "view")], ["manage", "monitor"]),
        (None, "standard", [ALL], ["send_*", "recv_*"]),
        (None, "brokered", [ALL], ["send_*", "send_#", "recv_*", "recv_#"]),
        (None, "brokered", [rule("view")], []),
        ("main", "brokered", [ALL], ["send_*", "send_#", "recv_*", "recv_#"]),
        ("0.30", "standard", [rule("send"), rule("recv")], []),
        ("0.30", "standard", [ALL, ALL], ["send_*", "recv_*"]),
        ("0.30", "standard", [rule("browse", "admin", at=("*",))], []),
        ("0.30", "standard", [], []),
    ],
)
def test_groups(release: str | None, space: str, rules: list[dict[str, Any]], groups: list[str]) -> None:
    assert list(group_names(rules, address_space_type=space, release=release)) == groups


@pytest.mark.parametrize(
    ("address", "written"),
    [("a.b-c_d", "a.b-c_d"), ("*", "*"), ("a b", "a+b"), ("q+", "q%2B"), ("t#", "t%23"), ("~", "%7E"), ("é", "%C3%A9")],
)
def test_an_address_is_written_as_java_does(address: str, written: str) -> None:
    assert url_encode(address) == written


@pytest.mark.parametrize("name", ["send_*", "recv_a", "browse_*", "admin", "manage", "manage_#", "monitor"])
def test_a_group_that_grants_something(name: str) -> None:
    assert is_permission(name)


@pytest.mark.parametrize("name", ["newsletter", "senders", "team_send", ""])
def test_a_group_that_is_a_persons(name: str) -> None:
    assert not is_permission(name)


@pytest.mark.parametrize(
    ("text", "release"), [("0.22", (0, 22)), ("0.30.3", (0, 30)), ("", None), (None, None), ("latest", None)]
)
def test_release(text: str | None, release: tuple[int, int] | None) -> None:
    assert release_of(text) == release
