"""The simulation of EnMasse's aggregated API behaves, through a real kube-apiserver, as the source of each release."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.client import APPLY, Client
from integration_operator.runtime.errors import ApiError
from integration_operator_sandbox.platforms.keycloak import Keycloak
from tests.support.earlier_enmasse import aggregated_api, drop_space, pair_in_config_map, realm_of
from tests.support.world import World

RELEASES = ("0.24", "0.26", "0.30")


def users(pair: Pair, version: str = "v1alpha1") -> str:
    return f"/apis/user.enmasse.io/{version}/namespaces/{pair.space.namespace}/messagingusers"


def user(pair: Pair, name: str = "ann", password: str = "secret", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "user.enmasse.io/v1alpha1",
        "kind": "MessagingUser",
        "metadata": {"name": f"orders.{name}", **metadata},
        "spec": {
            "username": name,
            "authentication": {"type": "password", "password": base64.b64encode(password.encode()).decode()},
            "authorization": [{"operations": ["send", "recv"], "addresses": ["*"]}],
        },
    }


async def refused(client: Client, call: str, *args: Any, **rest: Any) -> int:
    with pytest.raises(ApiError) as caught:
        await getattr(client, call)(*args, **rest)
    return caught.value.status


@pytest.mark.parametrize("release", RELEASES)
async def test_by_release(old: World, keycloak: Keycloak, release: str) -> None:
    async with aggregated_api(old, keycloak, release) as api:
        pair = await pair_in_config_map(old, keycloak, f"shop-{release.replace('.', '-')}")
        kubectl = old.kubectl
        resources = (await kubectl.get("/apis/user.enmasse.io/v1alpha1"))["resources"]
        assert "watch" not in resources[0]["verbs"]
        assert "patch" not in resources[0]["verbs"]
        spaces = f"/apis/enmasse.io/v1alpha1/namespaces/{pair.space.namespace}/addressspaces"
        listed = await kubectl.get(spaces, {"watch": "true"})
        assert [item["metadata"]["name"] for item in listed["items"]] == ["orders"], "a watch is answered with a list"
        assert "resourceVersion" not in listed["metadata"]

        made = await kubectl.post(users(pair), user(pair))
        assert made["kind"] == ("User" if release == "0.26" else "MessagingUser")
        assert "password" not in made["spec"]["authentication"]
        assert not {"uid", "resourceVersion", "labels"} & made["metadata"].keys()
        assert keycloak.can_log_in(realm_of(pair), "ann", "secret")
        assert await refused(kubectl, "post", users(pair), user(pair)) == 409

        with_labels = user(pair, "bob", labels={"a": "b"})
        if release == "0.24":
            assert await refused(kubectl, "post", users(pair), with_labels) == 400
        else:
            kept = await kubectl.post(users(pair), with_labels)
            assert "labels" not in kept["metadata"], "accepted and dropped"

        path = f"{users(pair)}/orders.ann"
        change = {"spec": {"authorization": [{"operations": ["recv"], "addresses": ["*"]}]}}
        if release == "0.30":
            patched = await kubectl.patch(path, change)
            assert patched["spec"]["authorization"][0]["operations"] == ["recv"]
            assert keycloak.can_log_in(realm_of(pair), "ann", "secret"), "the password stays"
            assert await refused(kubectl, "patch", path, user(pair), content_type=APPLY) == 415
        else:
            assert await refused(kubectl, "patch", path, change) == 405
        without_password = user(pair)
        del without_password["spec"]["authentication"]["password"]
        if release == "0.24":
            assert await refused(kubectl, "put", path, without_password) == 400
            assert await refused(kubectl, "delete", f"{users(pair)}/orders.nobody") == 500
        else:
            await kubectl.put(path, without_password)
            assert keycloak.can_log_in(realm_of(pair), "ann", "secret")
            assert await refused(kubectl, "delete", f"{users(pair)}/orders.nobody") == 404

        broken = user(pair, "cid")
        broken["spec"]["authentication"]["password"] = "not base64!"
        assert await refused(kubectl, "post", users(pair), broken) == 500
        assert not keycloak.can_log_in(realm_of(pair), "cid", "not base64!")
        assert await refused(kubectl, "post", users(pair), user(pair, "cid")) == 409, (
            "a user is left without a password"
        )

        keycloak.make_user(realm_of(pair), "proof-of-concept", "secret")
        assert await refused(kubectl, "get", users(pair)) == 500, "one user without attributes, and nobody is listed"
        api.refused.add("GET")
        assert await refused(kubectl, "get", path) == 401, "forbidden is 401 there"
        await drop_space(old, pair.space)
