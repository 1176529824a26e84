// Command controllermanager runs the three controllers of kube-controller-manager that a control plane without nodes
// needs: the garbage collector, the namespace controller and the service accounts controller.
//
// The controllers are those of k8s.io/kubernetes, put together as cmd/kube-controller-manager/app/core.go does. The
// flags have the names they have there, so that one command line fits both programs. There is no leader election.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/namespace"
	"k8s.io/kubernetes/pkg/controller/serviceaccount"
)

const (
	// The values of kube-controller-manager; none of them is worth a flag here.
	resync              = 12 * time.Hour
	namespaceResync     = 5 * time.Minute
	namespaceWorkers    = 10
	mapperReset         = 30 * time.Second
	waitForServer       = 10 * time.Second
	waitForServerPeriod = 100 * time.Millisecond
)

type options struct {
	kubeconfig  string
	bindAddress string
	securePort  int
	qps         float64
	burst       int
	gcWorkers   int
	gcSync      time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "Kubeconfig file of the API server.")
	flag.StringVar(&o.bindAddress, "bind-address", "127.0.0.1", "Address to serve /healthz on.")
	flag.IntVar(&o.securePort, "secure-port", 10257, "Port to serve /healthz on, with HTTPS.")
	flag.Float64Var(&o.qps, "kube-api-qps", 20, "Requests a second to the API server.")
	flag.IntVar(&o.burst, "kube-api-burst", 30, "Requests to the API server that may exceed the rate.")
	flag.IntVar(&o.gcWorkers, "concurrent-gc-syncs", 20, "Objects that the garbage collector handles at the same time.")
	flag.DurationVar(&o.gcSync, "gc-sync-period", 30*time.Second,
		"How often the garbage collector looks for new kinds. kube-controller-manager: 30s, without a flag.")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		klog.ErrorS(err, "The controllers cannot run")
		klog.FlushAndExit(klog.ExitFlushTimeout, 1)
	}
}

// run serves /healthz, starts the controllers and returns when ctx ends or they cannot be started.
func run(ctx context.Context, o options) error {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = float32(o.qps), o.burst

	var collector atomic.Pointer[garbagecollector.GarbageCollector]
	failed := make(chan error, 1)
	listener, err := listen(o)
	if err != nil {
		return err
	}
	go func() {
		failed <- serveHealth(listener, func() bool {
			gc := collector.Load()
			return gc != nil && gc.IsSynced(klog.FromContext(ctx))
		})
	}()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var controllers sync.WaitGroup
	if err := startControllers(ctx, o, config, &controllers, &collector); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		controllers.Wait()
		return nil
	case err := <-failed:
		return fmt.Errorf("cannot serve /healthz: %w", err)
	}
}

// startControllers builds the three controllers with what they share, then starts informers and controllers.
func startControllers(
	ctx context.Context, o options, config *rest.Config, running *sync.WaitGroup,
	collector *atomic.Pointer[garbagecollector.GarbageCollector],
) error {
	client, err := kubernetes.NewForConfig(protobuf(config, "controller-manager"))
	if err != nil {
		return err
	}
	metadataClient, err := metadata.NewForConfig(rest.AddUserAgent(rest.CopyConfig(config), "metadata-informers"))
	if err != nil {
		return err
	}
	if err := waitForAPIServer(ctx, client.Discovery()); err != nil {
		return err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	go wait.UntilWithContext(ctx, func(context.Context) { mapper.Reset() }, mapperReset)

	shared := informers.NewSharedInformerFactoryWithOptions(client, resync, informers.WithTransform(trim))
	metadataInformers := metadatainformer.NewSharedInformerFactoryWithOptions(
		metadataClient, resync, metadatainformer.WithTransform(trim))
	both := informerfactory.NewInformerFactory(shared, metadataInformers)
	started := make(chan struct{})

	accounts, err := serviceaccount.NewServiceAccountsController(
		klog.FromContext(ctx), shared.Core().V1().ServiceAccounts(), shared.Core().V1().Namespaces(), client,
		serviceaccount.DefaultServiceAccountsControllerOptions())
	if err != nil {
		return err
	}
	namespaces, err := newNamespaceController(ctx, config, shared)
	if err != nil {
		return err
	}
	gc, gcDiscovery, err := newGarbageCollector(ctx, config, mapper, both, started)
	if err != nil {
		return err
	}

	both.Start(ctx.Done()) // starts shared, too
	close(started)
	running.Go(func() { accounts.Run(ctx, 1) })
	running.Go(func() { namespaces.Run(ctx, namespaceWorkers) })
	running.Go(func() { gc.Run(ctx, o.gcWorkers, o.gcSync) })
	running.Go(func() { gc.Sync(ctx, gcDiscovery, o.gcSync) })
	collector.Store(gc)
	return nil
}

// newNamespaceController returns the controller that empties namespaces that are being deleted. It has a client of its
// own: it makes many calls, and they must not use up what the others may send.
func newNamespaceController(
	ctx context.Context, config *rest.Config, shared informers.SharedInformerFactory,
) (*namespace.NamespaceController, error) {
	config = rest.CopyConfig(config)
	config.QPS *= 20
	config.Burst *= 100
	client, err := kubernetes.NewForConfig(protobuf(config, "namespace-controller"))
	if err != nil {
		return nil, err
	}
	metadataClient, err := metadata.NewForConfig(rest.AddUserAgent(config, "namespace-controller"))
	if err != nil {
		return nil, err
	}
	return namespace.NewNamespaceController(
		ctx, client, metadataClient, client.Discovery().ServerPreferredNamespacedResources,
		shared.Core().V1().Namespaces(), namespaceResync, v1.FinalizerKubernetes), nil
}

// newGarbageCollector returns the collector and the discovery client for its Sync, which must not be the mapper's.
func newGarbageCollector(
	ctx context.Context, config *rest.Config, mapper meta.ResettableRESTMapper, informers informerfactory.InformerFactory,
	started <-chan struct{},
) (*garbagecollector.GarbageCollector, discovery.DiscoveryInterface, error) {
	config = rest.CopyConfig(config)
	client, err := kubernetes.NewForConfig(protobuf(config, "generic-garbage-collector"))
	if err != nil {
		return nil, nil, err
	}
	config.QPS *= 2 // deleting an object takes two calls
	metadataClient, err := metadata.NewForConfig(rest.AddUserAgent(config, "generic-garbage-collector"))
	if err != nil {
		return nil, nil, err
	}
	gc, err := garbagecollector.NewGarbageCollector(
		ctx, client, metadataClient, mapper, garbagecollector.DefaultIgnoredResources(), informers, started)
	return gc, client.Discovery(), err
}

func waitForAPIServer(ctx context.Context, client discovery.ServerVersionInterface) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, waitForServerPeriod, waitForServer, true,
		func(context.Context) (bool, error) {
			_, last = client.ServerVersion()
			return last == nil, nil
		})
	if err != nil {
		return fmt.Errorf("the API server does not answer: %w", errors.Join(err, last))
	}
	return nil
}

// protobuf returns a copy of config for a client of built-in kinds.
func protobuf(config *rest.Config, userAgent string) *rest.Config {
	config = rest.AddUserAgent(rest.CopyConfig(config), userAgent)
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	config.ContentType = runtime.ContentTypeProtobuf
	return config
}

// trim drops managed fields, which no controller here reads and which are most of what an object takes in memory.
func trim(object any) (any, error) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetManagedFields(nil)
	}
	return object, nil
}

func listen(o options) (net.Listener, error) {
	certificate, key, err := cert.GenerateSelfSignedCertKey("localhost", []net.IP{net.ParseIP(o.bindAddress)}, nil)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort(o.bindAddress, strconv.Itoa(o.securePort))
	return tls.Listen("tcp", address, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
}

// serveHealth answers /healthz with 200 once healthy, and with 503 until then. Healthy means here that the garbage
// collector watches every kind that the API server had when the program started.
func serveHealth(listener net.Listener, healthy func() bool) error {
	mux := http.NewServeMux()
	var synced atomic.Bool // a kind that comes later makes the collector wait for it, and nobody else
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if !synced.Load() && !healthy() {
			http.Error(w, "the garbage collector is not synced", http.StatusServiceUnavailable)
			return
		}
		synced.Store(true)
		fmt.Fprint(w, "ok")
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return server.Serve(listener)
}
