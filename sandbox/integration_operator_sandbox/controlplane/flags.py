"""Flags of the three components, and the audit policy."""

from __future__ import annotations

from pathlib import Path

from integration_operator_sandbox.localhost.machine import LOOPBACK

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],  # one line a request, when it has been answered
    "rules": [{"level": "Metadata"}],
}


def etcd(port: int) -> list[str]:
    """Return the flags of an etcd with one member that keeps its data in ``etcd/`` of the working directory."""
    clients = f"http://{LOOPBACK}:{port}"
    peer = f"http://{LOOPBACK}:2380"  # of a member without peers, so it is never dialled
    return [
        "--data-dir=etcd",
        "--unsafe-no-fsync",  # only a crash of the machine can lose data, and the time saved is worth that
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls=http://{LOOPBACK}:0",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--quota-backend-bytes=8589934592",  # etcd's suggested maximum; a benchmark outgrows the default of 2 GiB
        "--log-level=warn",
    ]


def api_server(etcd_port: int, port: int, certificate: Path, audit_log: Path, audit_megabytes: int) -> list[str]:
    """Return the flags of kube-apiserver, which makes ``certificate`` and its key in their directory."""
    key = certificate.with_suffix(".key")
    return [
        f"--etcd-servers=http://{LOOPBACK}:{etcd_port}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        f"--advertise-address={LOOPBACK}",
        "--endpoint-reconciler-type=none",  # a Service may not point at loopback, and this one is not needed
        f"--cert-dir={certificate.parent}",
        "--token-auth-file=tokens.csv",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        # kube-apiserver creates this key before it reads it, so no other tool is needed.
        f"--service-account-signing-key-file={key}",
        f"--service-account-key-file={key}",
        "--disable-admission-plugins=ServiceAccount",  # there are no pods to mutate
        "--service-cluster-ip-range=10.0.0.0/24",
        "--audit-policy-file=audit-policy.yaml",
        f"--audit-log-path={audit_log}",
        "--audit-log-mode=blocking",  # a client that has an answer finds it in the log
        f"--audit-log-maxsize={audit_megabytes}",
        "--audit-log-maxbackup=1",
        "--max-requests-inflight=2000",
        "--max-mutating-requests-inflight=1000",
    ]


def controllers(program: str, kubeconfig: Path, port: int) -> list[str]:
    """Return the flags of the controllers' program: the sandbox's own, or kube-controller-manager if that was given."""
    shared = [
        f"--kubeconfig={kubeconfig}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        # Thousands of objects are collected as fast as the API server can, not at the default 20 a second.
        "--kube-api-qps=2000",
        "--kube-api-burst=4000",
        "--concurrent-gc-syncs=40",
    ]
    if Path(program).name != "kube-controller-manager":
        return shared
    return [
        *shared,
        "--controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller",
        "--leader-elect=false",
        "--use-service-account-credentials=false",
    ]
