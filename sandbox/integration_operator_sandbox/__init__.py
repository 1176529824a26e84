"""A real control plane on this machine, for tests, the demo and ``integration-operator-sandbox``.

etcd, kube-apiserver and kube-controller-manager run as ordinary processes on loopback: what the operator is told by
them is what a cluster tells it, garbage collection included. There are no nodes, so nothing is ever scheduled.
EnMasse and Syndesis do not run here either: ``platforms`` simulates them, and says so wherever it shows.
"""
