// pulumi-resource-docker for machines that have no way to Pulumi's own build of it. It puts the kreuzwerker Docker
// provider behind pulumi-terraform-bridge, under the type tokens that the npm package @pulumi/docker asks for.
// Building images (docker:index:Image) is not part of that provider, so not of this plugin.
package main

import (
	"encoding/json"
	"strings"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	sdkv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// The version of @pulumi/docker whose tokens these are.
const version = "5.2.0"

var resourceNames = map[string]string{
	"docker_buildx_builder": "BuildxBuilder",
	"docker_config":         "ServiceConfig",
	"docker_container":      "Container",
	"docker_image":          "RemoteImage",
	"docker_network":        "Network",
	"docker_plugin":         "Plugin",
	"docker_registry_image": "RegistryImage",
	"docker_secret":         "Secret",
	"docker_service":        "Service",
	"docker_tag":            "Tag",
	"docker_volume":         "Volume",
}

var functionNames = map[string]string{
	"docker_image":                    "getRemoteImage",
	"docker_logs":                     "getLogs",
	"docker_network":                  "getNetwork",
	"docker_plugin":                   "getPlugin",
	"docker_registry_image":           "getRegistryImage",
	"docker_registry_image_manifests": "getRegistryImageManifests",
}

func main() {
	schema, err := json.Marshal(map[string]string{"name": "docker", "version": version})
	if err != nil {
		panic(err)
	}
	tfbridge.Main("docker", version, dockerProvider(), schema)
}

func dockerProvider() tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		P:           sdkv2.NewProvider(provider.New(version)()),
		Name:        "docker",
		Version:     version,
		Resources:   map[string]*tfbridge.ResourceInfo{},
		DataSources: map[string]*tfbridge.DataSourceInfo{},
		Config: map[string]*tfbridge.SchemaInfo{
			"host": {Default: &tfbridge.DefaultInfo{
				EnvVars: []string{"DOCKER_HOST"},
				Value:   "unix:///var/run/docker.sock",
			}},
			"registry_auth": {Name: "registryAuth", MaxItemsOne: tfbridge.False()},
		},
	}
	for upstream, name := range resourceNames {
		info.Resources[upstream] = &tfbridge.ResourceInfo{Tok: tokens.Type(token(name))}
	}
	for upstream, name := range functionNames {
		info.DataSources[upstream] = &tfbridge.DataSourceInfo{Tok: tokens.ModuleMember(token(name))}
	}

	// The bridge makes plurals of list names and keeps `name` for itself; the npm package has these as they are.
	container := info.Resources["docker_container"]
	container.Fields = map[string]*tfbridge.SchemaInfo{
		"command":           {Name: "command"},
		"networks_advanced": {Name: "networksAdvanced"},
	}
	// Two containers cannot have one name, so the official plugin deletes first, and so does this one.
	container.DeleteBeforeReplace = true
	info.Resources["docker_image"].Fields = map[string]*tfbridge.SchemaInfo{"name": {Name: "name"}}
	return info
}

// token is docker:index/getLogs:getLogs for getLogs, and docker:index/tag:Tag for Tag.
func token(name string) string {
	return "docker:index/" + strings.ToLower(name[:1]) + name[1:] + ":" + name
}
