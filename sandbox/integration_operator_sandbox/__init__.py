"""A Kubernetes control plane without containers, and the platforms that integration-operator meets there.

``controlplane``  etcd, kube-apiserver and three controllers as ordinary processes on loopback, without nodes
``platforms``     SIMULATIONS of EnMasse and Syndesis, their CustomResourceDefinitions, and a real Keycloak
``deployment``    the operator's own kinds and permissions, as they are deployed
``demo``, ``cli`` what the command line shows and does
``localhost``     processes, ports, files and certificates on this machine
"""
