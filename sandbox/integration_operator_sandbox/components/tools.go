//go:build tools

// Package components names the three programs of the local control plane, so that `go mod tidy` keeps what they need.
package components

import (
	_ "go.etcd.io/etcd/server/v3"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
)
