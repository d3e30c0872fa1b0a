module lockage.local/test/referrers-registry

go 1.24

require (
	cuelabs.dev/go/oci/ociregistry v0.0.0-20241125120445-2c00c104c6e1
	github.com/google/go-containerregistry v0.20.6
)

require (
	github.com/opencontainers/go-digest v1.0.0 // indirect
	github.com/opencontainers/image-spec v1.1.1 // indirect
)
