"""A template of a user replaces the shipped one; what it adds is applied to the cluster and stays there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from integration_operator.shipped import shipped_directory
from tests.support.documents import condition, decoded
from tests.support.world import World


def overridden(directory: Path, name: str, *changes: tuple[str, str]) -> None:
    text = (shipped_directory("templates") / name).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (directory / name).write_text(text)


async def test_labels_annotations_and_properties_are_added_and_withdrawn(world: World, tmp_path: Path) -> None:
    overridden(
        tmp_path,
        "connection.yaml.j2",
        ("{{ metadata.labels | tojson }}", '{{ dict(metadata.labels, team="shop") | tojson }}'),
        ("{{ metadata.annotations | tojson }}", "{{ dict(metadata.annotations, note=space.name) | tojson }}"),
        ('    skipCertificateCheck: "false"\n', '    skipCertificateCheck: "false"\n    clientID: shop\n'),
        ('"Messaging of AddressSpace "', '"Orders of "'),
    )
    overridden(
        tmp_path,
        "messaginguser.yaml.j2",
        ("{{ authorization | tojson }}", '[{ operations: [view], addresses: ["*"] }]'),
    )
    pair = await world.pair()
    async with world.operator(templates=tmp_path, enable_new=True):
        found = await world.delivered(pair)
        connection = found["Connection"]
        assert connection["metadata"]["labels"]["team"] == "shop"
        assert connection["metadata"]["annotations"]["note"] == "orders"
        assert connection["spec"]["configuredProperties"]["clientID"] == "shop"
        assert connection["spec"]["description"].startswith("Orders of ")
        assert found["MessagingUser"]["spec"]["authorization"] == [{"operations": ["view"], "addresses": ["*"]}]
        await world.audit.quiet()
        world.audit.mark()
        await world.audit.quiet(seconds=2)
        assert world.audit.requests() == []
    async with world.operator():

        async def plain() -> Any:
            children = await world.children(pair)
            connection = children["Connection"]
            assert connection is not None
            return "team" not in connection["metadata"]["labels"] and (
                "clientID" not in connection["spec"]["configuredProperties"]
            )

        await world.eventually("with the shipped template the additions go", plain)


async def test_field_that_the_kind_does_not_have_is_said(world: World, tmp_path: Path) -> None:
    overridden(tmp_path, "messaginguser.yaml.j2", ("spec:\n", "spec:\n  nickname: alice\n"))
    async with world.operator(templates=tmp_path, enable_new=True):
        pair = await world.pair()

        async def said() -> Any:
            integration = await world.integration(pair)
            return (
                integration
                if integration and "nickname" in condition(integration, "UserReady").get("message", "")
                else None
            )

        integration = await world.eventually("the condition names the field", said)
        assert condition(integration, "UserReady")["status"] == "False"
        assert (await world.children(pair))["Connection"] is None, "no connection without its user"


async def test_field_that_the_server_does_not_keep_is_not_written_again(world: World, tmp_path: Path) -> None:
    """``stringData`` is write-only: the server makes ``data`` of it and forgets it."""
    overridden(tmp_path, "secret.yaml.j2", ("\ndata:\n", "\nstringData: { hint: amqp }\ndata:\n"))
    async with world.operator(templates=tmp_path, enable_new=True):
        pair = await world.pair()
        found = await world.delivered(pair)
        assert decoded(found["Secret"])["hint"] == "amqp"
        await world.audit.quiet()
        world.audit.mark()
        await world.patch("AddressSpace", pair.space, {"metadata": {"annotations": {"enmasse.io/realm-name": "r"}}})
        await world.audit.quiet()
        assert "patch secrets" not in world.audit.writes()
