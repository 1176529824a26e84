"""The servers that are used over REST: Keycloak, and the Syndesis of each namespace with such a connection."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp

from integration_operator.cli.diagnosis.finding import Finding, Visit
from integration_operator.runtime.network_errors import describe_network_error

SECONDS = 5.0
"""Time for one answer."""
FROM_POD = "kubectl exec -n integration-operator deploy/integration-operator -- integration-operator doctor"


async def syndesis_servers(visit: Visit) -> list[Finding]:
    """Check that each Syndesis answers whose connections are delivered over REST."""
    namespaces = {
        integration.ref.namespace
        for integration in await visit.integrations()
        if integration.delivered_side("connection").get("delivery") == "rest"
    }
    urls = [visit.settings.syndesis_url.format(namespace=namespace) for namespace in sorted(namespaces)]
    return list(await asyncio.gather(*(_answers("syndesis servers", url, "/api/v1/version") for url in urls)))


async def keycloak(visit: Visit) -> list[Finding]:
    """Check that Keycloak answers, if the settings name it."""
    url = visit.settings.keycloak_url
    return [await _answers("keycloak", url, "/realms/master")] if url else []


async def _answers(check: str, url: str, path: str) -> Finding:
    """Check that a server answers HTTP. Its certificate is the business of the delivery, which pins it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connector = aiohttp.TCPConnector(ssl=context)
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session,
            session.get(f"{url.rstrip('/')}{path}", allow_redirects=False) as answer,
        ):
            return Finding("ok", check, f"{url} answers ({answer.status})")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        why = describe_network_error(error, seconds=SECONDS)
        return Finding("warning", check, f"{url}: {why} from here", f"run it in the cluster: {FROM_POD}")
