//go:build minimal

package builtinplugins

import (
	kubernetesAuth "github.com/hashicorp/vault-plugin-auth-kubernetes"
	databaseEngine "github.com/hashicorp/vault/builtin/logical/database"
	postgresqlPlugin "github.com/hashicorp/vault/plugins/database/postgresql"
)

// extendAddonPlugins adds what this platform uses to what upstream's tag "minimal" has: Kubernetes auth and the
// database engine with PostgreSQL. Upstream's own list for full builds links every vendor's SDK.
func extendAddonPlugins(r *registry) {
	r.credentialBackends["kubernetes"] = credentialBackend{Factory: kubernetesAuth.Factory}
	r.logicalBackends["database"] = logicalBackend{Factory: databaseEngine.Factory}
	r.databasePlugins["postgresql-database-plugin"] = databasePlugin{Factory: postgresqlPlugin.New}
}
