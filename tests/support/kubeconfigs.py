"""The kubeconfig of a server that a test runs."""

from __future__ import annotations

import json
from pathlib import Path


def write_kubeconfig(directory: Path, port: int, **user: str) -> Path:
    """Write a kubeconfig for a port of this machine; ``user`` are the credentials, a token by default."""
    kubeconfig = directory / "kubeconfig"
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": user or {"token": "t"}}],
    }
    kubeconfig.write_text(json.dumps(document))
    return kubeconfig
