// The same resources on the field's standard library, to measure beside redpilot (npm run bench -- xds).
//
// Reads resources from a file, a JSON object a line: {"type": "listener", "name": …, "a": base64, "b": base64}; "b" is what
// a change makes of "a", and back. Says its address, then takes commands, a line each: "change N" changes the Nth listener,
// "all" changes all of them.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

type described struct {
	Type string `json:"type"`
	Name string `json:"name"`
	A    []byte `json:"a"`
	B    []byte `json:"b"`
}

// A listener in both its forms.
type switched struct {
	name string
	a, b *listenerv3.Listener
	isB  bool
}

func (s *switched) now() *listenerv3.Listener {
	if s.isB {
		return s.b
	}
	return s.a
}

// What a change is made to: one of the two caches.
type backend interface {
	cache() cache.Cache
	update(changed []*switched) error
}

type linear struct {
	mux       *cache.MuxCache
	listeners *cache.LinearCache
}

func (l *linear) cache() cache.Cache { return l.mux }

func (l *linear) update(changed []*switched) error {
	set := make(map[string]types.Resource, len(changed))
	for _, listener := range changed {
		set[listener.name] = listener.now()
	}
	return l.listeners.UpdateResources(set, nil)
}

func newLinear(clusters map[string]types.Resource, listeners []*switched) *linear {
	initial := make(map[string]types.Resource, len(listeners))
	for _, listener := range listeners {
		initial[listener.name] = listener.now()
	}
	ofClusters := cache.NewLinearCache(resource.ClusterType, cache.WithInitialResources(clusters))
	ofListeners := cache.NewLinearCache(resource.ListenerType, cache.WithInitialResources(initial))
	return &linear{
		mux: &cache.MuxCache{
			Classify:      func(r *cache.Request) string { return r.GetTypeUrl() },
			ClassifyDelta: func(r *cache.DeltaRequest) string { return r.GetTypeUrl() },
			Caches: map[string]cache.Cache{
				resource.ClusterType:  ofClusters,
				resource.ListenerType: ofListeners,
			},
		},
		listeners: ofListeners,
	}
}

// One view for all nodes.
type oneView struct{}

func (oneView) ID(*corev3.Node) string { return "all" }

type snapshot struct {
	snapshots cache.SnapshotCache
	clusters  []types.Resource
	listeners []*switched
	version   int
}

func (s *snapshot) cache() cache.Cache { return s.snapshots }

func (s *snapshot) update([]*switched) error {
	s.version++
	listeners := make([]types.Resource, 0, len(s.listeners))
	for _, listener := range s.listeners {
		listeners = append(listeners, listener.now())
	}
	made, err := cache.NewSnapshot(strconv.Itoa(s.version), map[resource.Type][]types.Resource{
		resource.ClusterType:  s.clusters,
		resource.ListenerType: listeners,
	})
	if err != nil {
		return err
	}
	return s.snapshots.SetSnapshot(context.Background(), "all", made)
}

func main() {
	kind := flag.String("cache", "linear", "linear or snapshot")
	data := flag.String("data", "", "file of resources")
	flag.Parse()

	clusters, listeners := read(*data)
	var served backend
	if *kind == "linear" {
		served = newLinear(clusters, listeners)
	} else {
		ofClusters := make([]types.Resource, 0, len(clusters))
		for _, cluster := range clusters {
			ofClusters = append(ofClusters, cluster)
		}
		snapshots := cache.NewSnapshotCache(true, oneView{}, nil)
		served = &snapshot{snapshots: snapshots, clusters: ofClusters, listeners: listeners}
		must(served.update(nil))
	}

	port, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	grpcServer := grpc.NewServer(grpc.MaxConcurrentStreams(1_000_000))
	discovery.RegisterAggregatedDiscoveryServiceServer(grpcServer, server.NewServer(context.Background(), served.cache(), nil))
	go func() { must(grpcServer.Serve(port)) }()
	fmt.Println(port.Addr())

	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		must(served.update(change(lines.Text(), listeners)))
	}
}

func change(command string, listeners []*switched) []*switched {
	changed := listeners
	if word, number, isOne := strings.Cut(command, " "); isOne && word == "change" {
		index, err := strconv.Atoi(number)
		must(err)
		changed = listeners[index : index+1]
	}
	for _, listener := range changed {
		listener.isB = !listener.isB
	}
	return changed
}

func read(path string) (map[string]types.Resource, []*switched) {
	file, err := os.Open(path)
	must(err)
	defer file.Close()
	clusters := map[string]types.Resource{}
	var listeners []*switched
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var line described
		must(json.Unmarshal(lines.Bytes(), &line))
		if line.Type == "cluster" {
			cluster := &clusterv3.Cluster{}
			must(proto.Unmarshal(line.A, cluster))
			clusters[line.Name] = cluster
			continue
		}
		listener := &switched{name: line.Name, a: &listenerv3.Listener{}, b: &listenerv3.Listener{}}
		must(proto.Unmarshal(line.A, listener.a))
		must(proto.Unmarshal(line.B, listener.b))
		listeners = append(listeners, listener)
	}
	must(lines.Err())
	return clusters, listeners
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
