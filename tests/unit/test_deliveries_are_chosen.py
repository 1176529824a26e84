"""Which delivery each side gets: the word of a user before the settings, both before what the cluster serves."""

from __future__ import annotations

from typing import Any

import pytest

from integration_operator.domain.model.facts import ClusterFacts, Facts, Login, PlanSettings
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.policies.delivery_mode import delivery_mode
from integration_operator.domain.policies.integrations import parse_integration
from integration_operator.platforms.address_space import address_space
from integration_operator.platforms.syndesis import syndesis as normalised
from integration_operator.runtime.ref import Ref
from tests.support.builders import integration, space, syndesis

PAIR = Pair(Ref("shop", "orders"), Ref("shop", "syndesis"))
RECONCILED = syndesis()
NOT_RECONCILED = {**syndesis(), "metadata": {"namespace": "shop", "name": "syndesis"}}


def facts(instance: dict[str, Any], kinds: dict[str, Any], asked: dict[str, str], spec: dict[str, str]) -> Facts:
    return Facts(
        PAIR,
        ClusterFacts({}, **kinds),
        PlanSettings(user_delivery=asked.get("user", "auto"), connection_delivery=asked.get("connection", "auto")),
        Login("user", "password"),
        space=address_space(space()),
        syndesis=normalised(instance),
        integration=parse_integration(integration(delivery=spec)),
    )


@pytest.mark.parametrize(
    ("instance", "kinds", "asked", "spec", "user", "connection"),
    [
        pytest.param(RECONCILED, {}, {}, {}, "native", "native", id="annotated"),
        pytest.param(NOT_RECONCILED, {}, {}, {}, "native", "rest", id="today: our placeholder"),
        pytest.param(NOT_RECONCILED, {"placeholder": False}, {}, {}, "native", "native", id="upstream's own"),
        pytest.param(
            NOT_RECONCILED, {"absent": frozenset({"Connection"})}, {}, {}, "native", "rest", id="no Connection at all"
        ),
        pytest.param(
            NOT_RECONCILED,
            {"source": "aggregated", "unwatched": frozenset({"MessagingUser"})},
            {},
            {},
            "aggregated",
            "rest",
            id="0.22 to 0.30",
        ),
        pytest.param(
            NOT_RECONCILED,
            {"source": "configmap", "absent": frozenset({"MessagingUser", "Connection"})},
            {},
            {},
            "keycloak",
            "rest",
            id="0.20 to 0.21",
        ),
        pytest.param(
            RECONCILED, {"absent": frozenset({"MessagingUser"})}, {}, {}, "native", "native", id="an outage of the kind"
        ),
        pytest.param(RECONCILED, {}, {"user": "keycloak"}, {}, "keycloak", "native", id="the settings"),
        pytest.param(RECONCILED, {}, {"connection": "rest"}, {}, "native", "rest", id="the settings, connection"),
        pytest.param(
            RECONCILED, {}, {"user": "keycloak", "connection": "rest"}, {"user": "native", "connection": "native"},
            "native", "native", id="a user before the settings",
        ),
        pytest.param(
            RECONCILED, {}, {"user": "keycloak"}, {"user": "auto"}, "keycloak", "native", id="auto of a user"
        ),
    ],
)  # fmt: skip
def test_choice(
    instance: dict[str, Any], kinds: Any, asked: dict[str, str], spec: dict[str, str], user: str, connection: str
) -> None:
    chosen = delivery_mode(facts(instance, kinds, asked, spec))
    assert (chosen.user, chosen.connection) == (user, connection)
    assert chosen.condition.status == "True"
    assert user in chosen.condition.message
