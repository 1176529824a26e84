//go:build tools

// Package components names the programs of others that the control plane has, so that `go mod tidy` keeps what they
// need. The third program is ./controllermanager.
package components

import (
	_ "go.etcd.io/etcd/server/v3"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
)
