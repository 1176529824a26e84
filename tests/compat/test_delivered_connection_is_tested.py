"""``integration-operator test NAME``: the endpoint, the CA and the credential are the delivered ones.

The user needs no more rights than reading the Integration, its Connection and its Secret.
"""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from typer.testing import CliRunner

from integration_operator.api import names
from integration_operator.cli import app
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.errors import Forbidden
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.broker import BrokerUser
from integration_operator_sandbox.platforms import Login, Messaging
from tests.support.broker_fixtures import ADDRESS, Broker
from tests.support.documents import Document, decoded, secret_data, space_status
from tests.support.tenants import kubeconfig_of
from tests.support.world import World

READER: list[Document] = [
    {"apiGroups": ["integreatly.org"], "resources": ["integrations"], "verbs": ["get"]},
    {"apiGroups": ["syndesis.io"], "resources": ["connections"], "verbs": ["get"]},
]
SECRETS: Document = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
SPACES: Document = {"apiGroups": ["enmasse.io"], "resources": ["addressspaces"], "verbs": ["get"]}


class Answer(NamedTuple):
    code: int
    out: str
    err: str


async def run(kubeconfig: Path, *flags: str) -> Answer:
    command = [sys.executable, "-m", "integration_operator", "test", "--kubeconfig", str(kubeconfig), *flags]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, env=environment, timeout=90, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Answer(done.returncode, done.stdout, done.stderr)


def status_of(broker: Broker, *, ca: str = "good", external: bool = False) -> Document:
    """Return the status of an AddressSpace whose messaging endpoint is the broker."""
    status = space_status("localhost")
    ports = [{"name": "amqps", "port": broker.artemis.ports["good"]}]
    for endpoint in status["endpointStatuses"]:
        endpoint["servicePorts"] = ports
        if external:
            endpoint |= {"serviceHost": "messaging-a1.enmasse-infra.svc", "externalHost": "localhost"}
            endpoint["externalPorts"] = ports
    status["caCert"] = base64.b64encode(broker.ca(ca).encode()).decode()
    return status


async def over_rest(world: World, broker: Broker, **spec: Any) -> str:
    """Create what a delivery over REST leaves in the cluster, and return the Integration's name."""
    namespace = await world.namespace("shop")
    space = await world.space(namespace, status=status_of(broker))
    labels = {names.INTEGRATION_LABEL: "yes"}
    await world.create(
        "Secret",
        namespace,
        "credential",
        metadata={"labels": labels},
        data=secret_data({"username": "ann", "password": "password of ann"}),
    )
    delivered = {"connection": {"delivery": "rest", "id": "i-1", "uri": broker.uri()}, "secretName": "credential"}
    reference = {"namespace": space.namespace, "name": space.name}
    await world.create(
        "Integration",
        namespace,
        "mine",
        spec={"client": "syndesis", "enabled": True, "addressSpaceRef": reference, **spec},
        status={"delivered": delivered},
    )
    return f"{namespace}/mine"


async def test_from_offer_to_message(world: World, broker: Broker, tmp_path: Path) -> None:
    """A message goes through with what was delivered; once the pair is disabled, its credential is refused."""

    def keep(logins: Mapping[Login, str]) -> None:
        broker.artemis.set_users({login.username: BrokerUser(password) for login, password in logins.items()})

    messaging = Messaging("localhost", {"amqps": broker.artemis.ports["good"]}, broker.ca(), keep)
    namespace = await world.namespace("shop")
    pair = Pair(await world.space(namespace, status={}), await world.syndesis(namespace))
    name = naming.integration_name(pair)
    async with world.platforms(messaging=messaging), world.operator():
        await world.deliver(pair)
        await world.ready(Ref(namespace, name))
        secret = await world.get("Secret", naming.secret_ref(pair))
        assert secret is not None
        credential = decoded(secret)
        reader = await kubeconfig_of(world, "reader", [namespace], [*READER, SECRETS], tmp_path)
        answer = await run(reader, name, "--address", ADDRESS, "--message")
        assert answer.code == 0, answer
        lines = answer.out.splitlines()
        assert lines[0] == f"Integration {namespace}/{name}: {broker.uri()} as user '{credential['username']}'"
        assert lines[1] == f"CA: Connection {namespace}/{name}"
        assert [line.split(":")[0].split()[-1] for line in lines[2:8]] == [
            *("name", "TCP", "TLS", "log-in", "permission", "message")
        ]
        assert lines[8] == "The connection works."
        assert credential["password"] not in answer.out + answer.err
        await world.enable(pair, enabled=False)
        await world.taken_down(pair)
    environment = {"AMQP_USERNAME": credential["username"], "AMQP_PASSWORD": credential["password"]}
    result = CliRunner().invoke(app, ["test", "--endpoint", broker.uri()], env={**environment, "AMQP_CA": broker.ca()})
    assert (result.exit_code, "log-in: the broker refuses user" in result.stderr) == (7, True), result.output


async def test_a_binding(world: World, broker: Broker, tmp_path: Path) -> None:
    """Endpoint, CA and credential are those of its Secret, whatever its status says; else the status has to do."""

    def keep(logins: Mapping[Login, str]) -> None:
        broker.artemis.set_users({login.username: BrokerUser(password) for login, password in logins.items()})

    messaging = Messaging("localhost", {"amqps": broker.artemis.ports["good"]}, broker.ca(), keep)
    namespace = await world.namespace("apps")
    async with world.platforms(messaging=messaging), world.operator():
        pair = await world.bind(await world.space(namespace, status={}), namespace)
        await world.ready(pair.consumer)
    secret = await world.get("Secret", naming.secret_ref(pair))
    assert secret is not None
    broker.artemis.set_users({decoded(secret)["username"]: BrokerUser(decoded(secret)["password"])})
    reader = await kubeconfig_of(world, "reader", [namespace], [*READER, SECRETS], tmp_path)
    elsewhere = {"uri": broker.uri("plain"), "secretName": "another"}
    await world.patch("Integration", pair.consumer, {"status": {"delivered": elsewhere}}, status=True)
    answer = await run(reader, str(pair.consumer))
    assert answer.code == 0, answer
    assert answer.out.splitlines()[:2] == [
        f"Integration {pair.consumer}: {broker.uri()} as user '{decoded(secret)['username']}'",
        f"CA: Secret {naming.secret_ref(pair)}",
    ]
    less = await kubeconfig_of(world, "less", [namespace], [*READER, SPACES], tmp_path)
    answer = await run(less, str(pair.consumer))
    assert answer.code == 4
    assert "use --from-pod instead" in answer.err
    answer = await run(less, str(pair.consumer), "--from-pod")
    assert answer.code == 0, answer
    assert naming.secret_name(pair) in answer.out


async def test_a_connection_over_rest(
    world: World, broker: Broker, broker_users: dict[str, BrokerUser], tmp_path: Path
) -> None:
    """There is no Connection: the status has the address, and the AddressSpace the CA."""
    name = await over_rest(world, broker)
    namespace = name.partition("/")[0]
    reader = await kubeconfig_of(world, "reader", [namespace], [*READER, SECRETS, SPACES], tmp_path)
    answer = await run(reader, name)
    assert (answer.code, f"CA: AddressSpace {namespace}/orders" in answer.out) == (0, True), answer
    less = await kubeconfig_of(world, "less", [namespace], [*READER, SECRETS], tmp_path)
    answer = await run(less, name)
    assert answer.code == 7
    assert f"CA: the CAs of this machine (AddressSpace {namespace}/orders: Forbidden)" in answer.out
    ca = tmp_path / "ca.pem"
    ca.write_text(broker.ca())
    assert (await run(less, name, "--ca", str(ca))).code == 0


async def test_who_may_not_read_the_secret_is_told_so_in_one_line(world: World, broker: Broker, tmp_path: Path) -> None:
    name = await over_rest(world, broker)
    namespace = name.partition("/")[0]
    reader = await kubeconfig_of(world, "reader", [namespace], READER, tmp_path)
    answer = await run(reader, name)
    assert (answer.code, answer.out) == (4, "")
    assert answer.err == (
        f"integration-operator: you may not read Secret {namespace}/credential: ask for the right to get it, or use "
        "--from-pod instead\n"
    )


async def test_who_may_not_read_the_integration_is_told_so(world: World, amqp: None, tmp_path: Path) -> None:
    namespace = await world.namespace("shop")
    stranger = await kubeconfig_of(world, "stranger", [namespace], [SECRETS], tmp_path)
    answer = await run(stranger, "mine")
    assert answer == (
        4,
        "",
        f"integration-operator: you may not read Integration {namespace}/mine: ask for the right to get it\n",
    )


async def test_a_secret_without_the_label_is_not_used(world: World, broker: Broker) -> None:
    name = await over_rest(world, broker)
    namespace = name.partition("/")[0]
    await world.patch("Secret", Ref(namespace, "credential"), {"metadata": {"labels": None}})
    answer = await run(world.control_plane.kubeconfig("user"), name)
    assert (answer.code, "lacks the label integreatly.org/integration" in answer.err) == (3, True), answer


async def test_a_changed_connection_gets_no_other_secret_sent(world: World, broker: Broker) -> None:
    """Who may write Connections, and no Secrets, names another one's credential, and a host of their own."""
    name = await over_rest(world, broker)
    namespace = name.partition("/")[0]
    labels = {names.INTEGRATION_LABEL: "yes"}
    data = secret_data({"username": "boss", "password": "password of boss"})
    await world.create("Secret", namespace, "another", metadata={"labels": labels}, data=data)
    sources = [{"property": key, "secretKeyRef": {"name": "another", "key": key}} for key in ("username", "password")]
    properties = {"connectionUri": broker.uri("plain")}
    spec = {"connectorId": "amqp", "configuredProperties": properties, "configuredPropertiesFrom": sources}
    await world.create("Connection", namespace, "mine", spec=spec)
    delivered = {"connection": {"delivery": "native", "name": "mine"}, "secretName": "credential"}
    await world.patch("Integration", Ref(namespace, "mine"), {"status": {"delivered": delivered}}, status=True)
    for flags in ([], ["--from-pod"]):
        answer = await run(world.control_plane.kubeconfig("user"), name, *flags)
        assert (answer.code, answer.out) == (3, "")
        assert "takes its credential from Secret another, and not from credential" in answer.err


async def test_the_endpoint_for_clients_outside(
    world: World, broker: Broker, broker_users: dict[str, BrokerUser]
) -> None:
    name = await over_rest(world, broker)
    namespace = name.partition("/")[0]
    user = world.control_plane.kubeconfig("user")
    answer = await run(user, name, "--external")
    assert (answer.code, "no endpoint for clients outside" in answer.err) == (3, True), answer
    shown = status_of(broker, external=True)
    await world.patch("AddressSpace", Ref(namespace, "orders"), {"status": shown})
    answer = await run(user, name, "--external")
    assert (answer.code, f"amqps://localhost:{broker.artemis.ports['good']}" in answer.out) == (0, True), answer


async def test_a_name_that_only_the_cluster_knows_leads_to_the_ways_in(world: World, broker: Broker) -> None:
    name = await over_rest(world, broker)
    inside = {"connection": {"delivery": "rest", "uri": "amqps://messaging-a1.enmasse-infra.svc:5671"}}
    namespace = name.partition("/")[0]
    await world.patch("Integration", Ref(namespace, "mine"), {"status": {"delivered": inside}}, status=True)
    answer = await run(world.control_plane.kubeconfig("user"), name)
    assert answer.code == 7
    for flag in ("--from-pod", "--external", "--connect"):
        assert flag in answer.err


async def test_what_is_not_delivered_is_not_tested(world: World, amqp: None) -> None:
    namespace = await world.namespace("shop")
    user = world.control_plane.kubeconfig("user")
    answer = await run(user, f"{namespace}/none")
    assert (answer.code, f'no Integration "none" in namespace {namespace}' in answer.err) == (3, True), answer
    await world.create("Integration", namespace, "mine", spec={"client": "syndesis"})
    answer = await run(user, f"{namespace}/mine")
    assert (answer.code, "has no connection yet: it is not enabled" in answer.err) == (3, True), answer


@pytest.mark.parametrize(
    ("authorization", "tried"),
    [
        (None, "send to and receive from orders"),
        ([{"operations": ["send"], "addresses": ["ord*"]}], "may send to orders"),
        ([{"operations": ["recv"], "addresses": ["orders"]}], "may receive from orders"),
    ],
)
async def test_permissions_are_those_of_the_spec(
    world: World, broker: Broker, broker_users: dict[str, BrokerUser], authorization: Any, tried: str
) -> None:
    name = await over_rest(world, broker, **({"authorization": authorization} if authorization else {}))
    answer = await run(world.control_plane.kubeconfig("user"), name, "--address", ADDRESS)
    assert (answer.code, tried in answer.out) == (0, True), answer


async def test_who_may_only_receive_sends_no_message(
    world: World, broker: Broker, broker_users: dict[str, BrokerUser]
) -> None:
    name = await over_rest(world, broker, authorization=[{"operations": ["recv"], "addresses": ["*"]}])
    answer = await run(world.control_plane.kubeconfig("user"), name, "--address", ADDRESS, "--message")
    assert (answer.code, "- message: the user may only receive" in answer.out) == (0, True), answer


async def test_the_job_is_accepted_and_holds_no_secret(world: World, broker: Broker, tmp_path: Path) -> None:
    """``--from-pod`` needs no right to the Secret, and prints a Job that the strictest namespace accepts."""
    name = await over_rest(world, broker)
    namespace = name.partition("/")[0]
    reader = await kubeconfig_of(world, "reader", [namespace], [*READER, SPACES], tmp_path)
    answer = await run(reader, name, "--from-pod", "--address", ADDRESS, "--message")
    assert answer.code == 0, answer
    assert "password of ann" not in answer.out
    job = yaml.safe_load(answer.out)
    assert job["metadata"]["namespace"] == namespace
    level = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    await world.kubectl.patch(f"/api/v1/namespaces/{namespace}", level)
    strict = {"dryRun": "All", "fieldValidation": "Strict"}
    created = await world.kubectl.post(f"/apis/batch/v1/namespaces/{namespace}/jobs", job, strict)
    assert created["metadata"]["name"].startswith("connection-test-")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == [
        *("test", "--endpoint", broker.uri(), "--within", "10"),
        *("--address", ADDRESS, "--operations", "send,recv", "--message"),
    ]
    variables = {variable["name"]: variable for variable in container["env"]}
    assert variables["AMQP_PASSWORD"]["valueFrom"]["secretKeyRef"] == {"name": "credential", "key": "password"}
    assert variables["AMQP_CA"]["value"] == broker.ca()
    # Pod Security is enforced on pods only: the Job's pod, and one that it must refuse.
    pod = {"metadata": {"generateName": "test-"}, "spec": job["spec"]["template"]["spec"]}
    pods = f"/api/v1/namespaces/{namespace}/pods"
    await world.kubectl.post(pods, pod, strict)
    container["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(Forbidden, match="violates PodSecurity"):
        await world.kubectl.post(pods, pod, strict)


async def test_the_job_does_the_same(
    world: World, broker: Broker, broker_users: dict[str, BrokerUser], tmp_path: Path
) -> None:
    """The Job's arguments and variables, run here, send a message through the broker."""
    name = await over_rest(world, broker)
    answer = await run(
        world.control_plane.kubeconfig("user"), name, "--from-pod", "--address", ADDRESS, "--message", "-o", "yaml"
    )
    assert answer.code == 2, "there is text, which is YAML, and json"
    answer = await run(
        world.control_plane.kubeconfig("user"), name, "--from-pod", "--address", ADDRESS, "--message", "-o", "json"
    )
    job = yaml.safe_load(answer.out)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    credential = {"username": "ann", "password": "password of ann"}
    environment = {
        variable["name"]: variable.get("value") or credential[variable["valueFrom"]["secretKeyRef"]["key"]]
        for variable in container["env"]
    }
    command = [sys.executable, "-m", "integration_operator", *container["args"]]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), **environment},
    )  # fmt: skip
    assert (done.returncode, "a message went through orders" in done.stdout) == (0, True), done
