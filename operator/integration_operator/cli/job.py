"""The Job that tests a connection inside the cluster.

It needs no rights: the kubelet gives it the credential from the Secret, and it has no token. The same command runs in
it, with an endpoint in place of an Integration.
"""

from __future__ import annotations

from typing import Any

from integration_operator import __version__
from integration_operator.api import names
from integration_operator.cli.delivered import Delivery
from integration_operator.messaging import StepName, Use

Document = dict[str, Any]

IMAGE = f"integration-operator:{__version__}-amqp"
"""The image with the extra ``amqp`` (``deploy/Dockerfile``)."""

USERNAME, PASSWORD, CA = "AMQP_USERNAME", "AMQP_PASSWORD", "AMQP_CA"
"""Variables of the credential and the CA, which no argument shows."""
KEPT_SECONDS = 600
"""Time for which a finished Job, and its log, are kept."""

START_SECONDS = 120
"""Time for the image to be pulled; a Job whose pod cannot start ends after it and the test's own time."""


def job(delivery: Delivery, use: Use, *, image: str, within: float) -> Document:
    """Return the Job. It conforms to the Pod Security Standard ``restricted``, and tries once."""
    arguments = ["test", "--endpoint", str(delivery.server), "--within", f"{within:g}"]
    if use.address is not None:
        arguments += ["--address", use.address, "--operations", ",".join(use.operations)]
        arguments += ["--message"] if use.message else []
    secret = delivery.secret
    environment: list[Document] = [
        {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret.ref.name, "key": key}}}
        for variable, key in ((USERNAME, secret.username), (PASSWORD, secret.password))
    ]
    if delivery.ca is not None:
        environment.append({"name": CA, "value": delivery.ca})
    labels = {"app.kubernetes.io/name": names.FIELD_MANAGER, "app.kubernetes.io/component": "connection-test"}
    container = {
        "name": "test",
        "image": image,
        "args": arguments,
        "env": environment,
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "generateName": "connection-test-",
            "namespace": delivery.integration.ref.namespace,
            "labels": labels,
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": START_SECONDS + round(len(StepName) * within),
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
