// Registries in memory that list what refers to an image (OCI distribution 1.1), on free ports of the loopback. The
// first line of the output has their addresses. They end with the standard input.
//
//	old    cuelabs' registry without the API
//	new    the very same store with the API, which knows neither filters nor pages
//	late   the same, whose API lists only what was pushed to it
//	paged  the same, which filters by artifactType, and answers with pages of two
//	other  go-containerregistry's, with a store of its own
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"

	"cuelabs.dev/go/oci/ociregistry/ocimem"
	"cuelabs.dev/go/oci/ociregistry/ociserver"
	"github.com/google/go-containerregistry/pkg/registry"
)

const pageLength = 2

func main() {
	store := ocimem.New()
	lists := ociserver.New(store, nil)
	places := map[string]string{
		"old":   serve(ociserver.New(store, &ociserver.Options{DisableReferrersAPI: true})),
		"new":   serve(lists),
		"late":  serve(&late{inner: lists, pushed: map[string]bool{}}),
		"paged": serve(paged{lists}),
		"other": serve(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0)))),
	}
	if err := json.NewEncoder(os.Stdout).Encode(places); err != nil {
		log.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func serve(handler http.Handler) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(listener, handler)) }()
	return listener.Addr().String()
}

type index struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Manifests     []json.RawMessage `json:"manifests"`
}

// Returns the list that a registry answers with; false where the request is for something else, or the answer is none.
func listed(inner http.Handler, request *http.Request) (index, bool) {
	if request.Method != http.MethodGet || !strings.Contains(request.URL.Path, "/referrers/") {
		return index{}, false
	}
	answer := httptest.NewRecorder()
	inner.ServeHTTP(answer, request)
	var list index
	return list, answer.Code == http.StatusOK && json.Unmarshal(answer.Body.Bytes(), &list) == nil
}

func digestOf(descriptor json.RawMessage) string {
	var read struct {
		Digest string `json:"digest"`
	}
	_ = json.Unmarshal(descriptor, &read)
	return read.Digest
}

func send(answer http.ResponseWriter, list index) {
	answer.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
	_ = json.NewEncoder(answer).Encode(list)
}

// A registry whose list begins with its API: it never looks at what was there before.
type late struct {
	inner  http.Handler
	lock   sync.Mutex
	pushed map[string]bool
}

func (l *late) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if at := strings.LastIndex(request.URL.Path, "/manifests/"); request.Method == http.MethodPut && at >= 0 {
		l.pushed[request.URL.Path[at+len("/manifests/"):]] = true
	}
	list, ok := listed(l.inner, request)
	if !ok {
		l.inner.ServeHTTP(answer, request)
		return
	}
	kept := []json.RawMessage{}
	for _, each := range list.Manifests {
		if l.pushed[digestOf(each)] {
			kept = append(kept, each)
		}
	}
	list.Manifests = kept
	send(answer, list)
}

// A registry that answers with pages, and filters.
type paged struct{ inner http.Handler }

func (p paged) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	list, ok := listed(p.inner, request)
	if !ok {
		p.inner.ServeHTTP(answer, request)
		return
	}
	query := request.URL.Query()
	if wanted := query.Get("artifactType"); wanted != "" {
		list.Manifests = p.ofType(request, list.Manifests, wanted)
		answer.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	from, _ := strconv.Atoi(query.Get("next"))
	if end := from + pageLength; end < len(list.Manifests) {
		query.Set("next", strconv.Itoa(end))
		answer.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=\"next\"", request.URL.Path, query.Encode()))
		list.Manifests = list.Manifests[:end]
	}
	list.Manifests = list.Manifests[min(from, len(list.Manifests)):]
	send(answer, list)
}

// Returns the descriptors of manifests of a type, with that type, as the specification asks for.
func (p paged) ofType(request *http.Request, all []json.RawMessage, wanted string) []json.RawMessage {
	kept := []json.RawMessage{}
	for _, each := range all {
		asked := request.Clone(request.Context())
		at := strings.LastIndex(request.URL.Path, "/referrers/")
		asked.URL.Path = request.URL.Path[:at] + "/manifests/" + digestOf(each)
		asked.URL.RawQuery = ""
		answer := httptest.NewRecorder()
		p.inner.ServeHTTP(answer, asked)
		var manifest struct {
			ArtifactType string `json:"artifactType"`
		}
		_ = json.Unmarshal(answer.Body.Bytes(), &manifest)
		if manifest.ArtifactType != wanted {
			continue
		}
		descriptor := map[string]any{}
		_ = json.Unmarshal(each, &descriptor)
		descriptor["artifactType"] = wanted
		text, _ := json.Marshal(descriptor)
		kept = append(kept, text)
	}
	return kept
}
