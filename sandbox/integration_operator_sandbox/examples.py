"""What ``up --platforms`` suggests to try: one pair in the namespace ``shop``."""

from __future__ import annotations

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref

NAMESPACE = "shop"
PAIR = Pair(Ref(NAMESPACE, "orders"), Ref(NAMESPACE, "syndesis"))

SPACE_AND_SYNDESIS = f"""\
# An AddressSpace and a Syndesis in one namespace: the operator offers them as an Integration.
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
---
apiVersion: enmasse.io/v1beta1
kind: AddressSpace
metadata:
  name: {PAIR.space.name}
  namespace: {NAMESPACE}
spec:
  type: standard
  plan: standard-small
  authenticationService:
    name: standard-authservice
---
apiVersion: syndesis.io/v1beta3
kind: Syndesis
metadata:
  name: {PAIR.syndesis.name}
  namespace: {NAMESPACE}
  annotations:
    # The simulated Syndesis reconciles Connection resources. Without the annotation the operator uses its REST API.
    {names.CONNECTION_DELIVERY}: native
spec: {{}}
"""


def enable_command() -> str:
    """Return the kubectl command that enables the example's Integration."""
    integration = naming.integration_name(PAIR)
    return f'kubectl patch integration {integration} -n {NAMESPACE} --type=merge -p \'{{"spec":{{"enabled":true}}}}\''
