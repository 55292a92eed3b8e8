/** Claims whose volume can only be on one machine: namespace, claim, volume. Volumes of a cloud name a region or no host at all. */
const claimTemplate = (node: string): string =>
  "{{range .items}}{{$volume := .}}{{with .spec.claimRef}}{{$claim := .}}{{with $volume.spec.nodeAffinity}}" +
  "{{range .required.nodeSelectorTerms}}{{range .matchExpressions}}" +
  `{{if eq .key "kubernetes.io/hostname"}}{{range .values}}{{if eq . "${node}"}}` +
  '{{$claim.namespace}} {{$claim.name}} {{$volume.metadata.name}}{{"\\n"}}{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}';

/** Claims that StatefulSets make, without the number at their end: prefix and set. */
const templatesOfSets =
  "{{range .items}}{{$set := .metadata.name}}{{range .spec.volumeClaimTemplates}}" +
  '{{.metadata.name}}-{{$set}} {{$set}}{{"\\n"}}{{end}}{{end}}';

/** Pods that are Ready, each with its owner. */
const readyPods =
  '{{range .items}}{{$pod := .metadata.name}}{{$owner := "none"}}{{range .metadata.ownerReferences}}{{if .controller}}{{$owner = .name}}{{end}}{{end}}' +
  '{{range .status.conditions}}{{if and (eq .type "Ready") (eq .status "True")}}{{$pod}} {{$owner}}{{"\\n"}}{{end}}{{end}}{{end}}';

/** Seconds that a database has to choose another primary: a failover takes a lost node's grace period and a few more. */
const failoverLimit = 120;

/**
 * Shell function `free_claims NODE` for a node that has left: what lay on its own disk is gone with it, and a pod that is tied to
 * such a claim would wait for the machine for ever, or start on an empty directory where one comes back under its name. Where
 * another copy of the data is Ready the claim and its pod are deleted, claim first, and the operator or the StatefulSet makes a new
 * copy from the others (cloudnative-pg.io/docs, failure modes; kubernetes.io/docs/concepts/workloads/controllers/statefulset).
 * Where none is, nothing is deleted, since the disk may be all that there is: a line says so. Needs `$kubectl` and `await`.
 */
export const claimFunctions = `
database_serves_without() { # NAMESPACE CLUSTER INSTANCE: another instance is the primary, and Ready
  local primary
  primary=$($kubectl get clusters.postgresql.cnpg.io "$2" --namespace "$1" --output 'jsonpath={.status.currentPrimary}')
  [ -n "$primary" ] && [ "$primary" != "$3" ] || return 1
  $kubectl get pod "$primary" --namespace "$1" --output 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' | grep -q True
}
set_of() { # NAMESPACE CLAIM: the StatefulSet that made it, and its pod
  local prefix set number=\${2##*-}
  case "$number" in ''|*[!0-9]*) return 0 ;; esac
  while read -r prefix set; do
    [ "$2" != "$prefix-$number" ] || { echo "$set $set-$number"; return 0; }
  done < <($kubectl get statefulsets --namespace "$1" --output 'go-template=${templatesOfSets}')
}
set_serves_without() { # NAMESPACE SET POD
  $kubectl get pods --namespace "$1" --output 'go-template=${readyPods}' | grep " $2\$" | grep -qv "^$3 "
}
free_claim() { # NAMESPACE CLAIM VOLUME: whether another copy serves and this one's claim is deleted
  local cluster instance set pod=''
  read -r cluster instance < <($kubectl get persistentvolumeclaim "$2" --namespace "$1" --ignore-not-found --output 'jsonpath={.metadata.labels.cnpg\\.io/cluster} {.metadata.labels.cnpg\\.io/instanceName}{"\\n"}') || true
  if [ -n "$instance" ]; then
    await ${failoverLimit} 2 database_serves_without "$1" "$cluster" "$instance" || return 1
    pod=$instance
  else
    read -r set pod < <(set_of "$1" "$2") || return 1
    set_serves_without "$1" "$set" "$pod" || return 1
  fi
  $kubectl delete persistentvolumeclaim "$2" --namespace "$1" --ignore-not-found --wait=false > /dev/null
  $kubectl delete persistentvolume "$3" --ignore-not-found --wait=false > /dev/null
  $kubectl delete pod "$pod" --namespace "$1" --ignore-not-found --force --grace-period=0 --wait=false > /dev/null 2>&1
  echo "$1/$2 was on $node: a new copy takes its place"
}
free_claims() { # NODE
  local node=$1 namespace claim volume
  while read -r namespace claim volume; do
    [ -n "$volume" ] || continue
    free_claim "$namespace" "$claim" "$volume" ||
      echo "the data of $namespace/$claim lay on $node, and no other copy of them is ready: it is left as it is; to let its pod start empty, delete the claim" >&2
  done < <($kubectl get persistentvolumes --output "go-template=$2")
}
`;

/** Shell: frees what was on that node's disk. Never ends the run: the node has left, whatever comes of its claims. */
export const freeClaims = (node: string): string => `free_claims ${node} '${claimTemplate(node)}' || true`;
