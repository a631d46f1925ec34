// gateway stands in for a gateway's controller on the check's node: it ends TLS and passes requests on as the HTTPRoute
// objects say, by host and by the longest prefix of the path.
//
//	gateway CERTIFICATE KEY
//
// It listens on 8443, and on 8080 for probes. It knows the parts of Gateway API that the chart uses and refuses a route
// with others; it retries nothing, and keeps no connections to what is behind it, so that each request is on its own.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

const controller = "sundial.io/check"

var (
	api      = schema.GroupVersion{Group: "gateway.networking.k8s.io", Version: "v1"}
	gateways = api.WithResource("gateways")
	routes   = api.WithResource("httproutes")
)

// route is what the check's gateway understands of an HTTPRoute.
type route struct {
	Hostnames []string
	Rules     []struct {
		Matches []struct {
			Path struct{ Type, Value string }
		}
		BackendRefs []struct {
			Name string
			Port int
		}
	}
}

// way is where requests for a host and a prefix go.
type way struct{ host, prefix, service string }

// serves tells whether a path is the prefix, or below it: /graphql serves /graphql/x and not /graphiql.
func (w way) serves(host, path string) bool {
	return w.host == host && (w.prefix == "/" || path == w.prefix || strings.HasPrefix(path, w.prefix+"/"))
}

// read returns the ways of a route, or why there are none.
func read(object *unstructured.Unstructured) (ways []way, err error) {
	var said struct{ Spec route }
	text, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return nil, err
	}
	for _, rule := range said.Spec.Rules {
		if len(rule.BackendRefs) != 1 {
			// A redirect, say, of the listener that has no TLS; it is not served here.
			continue
		}
		to := rule.BackendRefs[0]
		for _, match := range rule.Matches {
			if match.Path.Type != "" && match.Path.Type != "PathPrefix" {
				return nil, fmt.Errorf("a path of type %s", match.Path.Type)
			}
			for _, host := range said.Spec.Hostnames {
				service := fmt.Sprintf("%s.%s.svc.cluster.local:%d", to.Name, object.GetNamespace(), to.Port)
				ways = append(ways, way{host, match.Path.Value, service})
			}
		}
	}
	return ways, nil
}

func condition(kind string, status bool, reason, message string, generation int64) map[string]any {
	value := string(meta.ConditionFalse)
	if status {
		value = string(meta.ConditionTrue)
	}
	return map[string]any{
		"type": kind, "status": value, "reason": reason, "message": message, "observedGeneration": generation,
		"lastTransitionTime": time.Now().UTC().Format(time.RFC3339),
	}
}

// tell writes what a controller would of an object that it has taken, once for each generation.
func tell(ctx context.Context, client dynamic.ResourceInterface, object *unstructured.Unstructured, status map[string]any) {
	if err := unstructured.SetNestedMap(object.Object, status, "status"); err != nil {
		log.Print(err)
		return
	}
	if _, err := client.UpdateStatus(ctx, object, meta.UpdateOptions{}); err != nil {
		log.Printf("the status of %s: %v", object.GetName(), err)
	}
}

// look reads all gateways and routes, tells each that is new what became of it, and returns the ways, longest first.
func look(client dynamic.Interface, told map[string]int64) ([]way, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fresh := func(object *unstructured.Unstructured) bool {
		key := fmt.Sprint(object.GetUID())
		known := told[key] == object.GetGeneration()
		told[key] = object.GetGeneration()
		return !known
	}
	list, err := client.Resource(gateways).List(ctx, meta.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range list.Items {
		object := &list.Items[i]
		if generation := object.GetGeneration(); fresh(object) {
			tell(ctx, client.Resource(gateways).Namespace(object.GetNamespace()), object, map[string]any{"conditions": []any{
				condition("Accepted", true, "Accepted", "by the check's gateway", generation),
				condition("Programmed", true, "Programmed", "by the check's gateway", generation),
			}})
		}
	}
	if list, err = client.Resource(routes).List(ctx, meta.ListOptions{}); err != nil {
		return nil, err
	}
	var ways []way
	for i := range list.Items {
		object := &list.Items[i]
		own, err := read(object)
		ways = append(ways, own...)
		if !fresh(object) {
			continue
		}
		reason, message := "Accepted", "by the check's gateway"
		if err != nil {
			reason, message = "UnsupportedValue", err.Error()
		}
		var parents []any
		references, _, _ := unstructured.NestedSlice(object.Object, "spec", "parentRefs")
		for _, reference := range references {
			parents = append(parents, map[string]any{
				"parentRef": reference, "controllerName": controller,
				"conditions": []any{
					condition("Accepted", err == nil, reason, message, object.GetGeneration()),
					condition("ResolvedRefs", true, "ResolvedRefs", "", object.GetGeneration()),
				},
			})
		}
		tell(ctx, client.Resource(routes).Namespace(object.GetNamespace()), object, map[string]any{"parents": parents})
	}
	slices.SortFunc(ways, func(a, b way) int { return len(b.prefix) - len(a.prefix) })
	return ways, nil
}

func main() {
	config, err := rest.InClusterConfig()
	if err != nil {
		log.Fatal(err)
	}
	client := dynamic.NewForConfigOrDie(config)
	var table atomic.Pointer[[]way]
	go func() {
		for told := map[string]int64{}; ; time.Sleep(500 * time.Millisecond) {
			ways, err := look(client, told)
			if err != nil {
				log.Print(err)
				continue
			}
			if last := table.Swap(&ways); last == nil || !slices.Equal(*last, ways) {
				log.Printf("ways: %v", ways)
			}
		}
	}()

	proxy := &httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			host, _, err := net.SplitHostPort(request.In.Host)
			if err != nil {
				host = request.In.Host
			}
			at := -1
			if ways := table.Load(); ways != nil {
				at = slices.IndexFunc(*ways, func(w way) bool { return w.serves(host, request.In.URL.Path) })
				if at >= 0 {
					request.SetURL(&url.URL{Scheme: "http", Host: (*ways)[at].service})
				}
			}
			if at < 0 {
				// Refused by the transport, which knows no such scheme.
				request.Out.URL.Scheme = "none"
			}
			request.Out.Host = request.In.Host
			request.Out.Header["X-Forwarded-For"] = request.In.Header["X-Forwarded-For"]
			request.SetXForwarded()
		},
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext},
		ErrorHandler: func(answer http.ResponseWriter, request *http.Request, err error) {
			if strings.Contains(err.Error(), "unsupported protocol scheme") {
				http.Error(answer, "no route", http.StatusNotFound)
				return
			}
			log.Printf("%s %s%s: %v", request.Method, request.Host, request.URL.Path, err)
			http.Error(answer, "bad gateway", http.StatusBadGateway)
		},
		FlushInterval: -1,
	}
	ready := func(answer http.ResponseWriter, _ *http.Request) {
		if table.Load() == nil {
			answer.WriteHeader(http.StatusServiceUnavailable)
		}
	}
	go func() { log.Fatal(http.ListenAndServe(":8080", http.HandlerFunc(ready))) }()
	// HTTP/1.1 alone, for WebSockets.
	server := &http.Server{Addr: ":8443", Handler: proxy, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	go func() {
		<-ended.Done()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	}()
	if err := server.ListenAndServeTLS(os.Args[1], os.Args[2]); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
