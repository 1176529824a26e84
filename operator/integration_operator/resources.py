"""The resources that the operator reads and writes.

The version is fixed only for resources whose contract is the operator's own. Discovery chooses the version of EnMasse's
and Syndesis's, because their releases differ: Syndesis serves v1alpha1 up to 1.11, and only v1beta3 from 1.13.
"""

from __future__ import annotations

from integration_operator.api import names
from integration_operator.runtime.resources import Resource

ADDRESS_SPACE = Resource("AddressSpace", "enmasse.io", "addressspaces", polled=True)
"""Served without WATCH by EnMasse's aggregated API, up to 0.30."""

MESSAGING_USER = Resource("MessagingUser", "user.enmasse.io", "messagingusers")
AUTHENTICATION_SERVICE = Resource("AuthenticationService", "admin.enmasse.io", "authenticationservices")
SPACE_CONFIG_MAP = Resource("ConfigMap", "", "configmaps", version="v1", selector="type=address-space")
"""Where EnMasse up to 0.30 stores AddressSpaces (ConfigMapAddressSpaceApi.java @0.24.0)."""

SYNDESIS = Resource("Syndesis", "syndesis.io", "syndesises")
CONNECTION = Resource("Connection", "syndesis.io", "connections", version="v1alpha1")
INTEGRATION = Resource("Integration", "integreatly.org", "integrations", version="v1alpha1")
SECRET = Resource("Secret", "", "secrets", version="v1", selector=names.INTEGRATION_LABEL)
NAMESPACE = Resource("Namespace", "", "namespaces", version="v1", namespaced=False, metadata_only=True)
CRD = Resource(
    "CustomResourceDefinition",
    "apiextensions.k8s.io",
    "customresourcedefinitions",
    version="v1",
    namespaced=False,
    metadata_only=True,
)
API_SERVICE = Resource(
    "APIService",
    "apiregistration.k8s.io",
    "apiservices",
    version="v1",
    namespaced=False,
    metadata_only=True,
)
WEBHOOK_CONFIGURATION = Resource(
    "ValidatingWebhookConfiguration",
    "admissionregistration.k8s.io",
    "validatingwebhookconfigurations",
    version="v1",
    namespaced=False,
)
