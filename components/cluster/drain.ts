import { NodePlan, paths } from "./config";
import { unitName } from "./unit";

/** How a node asks the API server: a server as the administrator, an agent as its own kubelet, which may look after itself. */
export const kubectl = (role: NodePlan["role"]): string =>
  `k3s kubectl --request-timeout=10s --kubeconfig ${role === "server" ? paths.kubeconfig : `${paths.data}/agent/kubelet.kubeconfig`}`;

/** Whether a person cordoned the node before us: then it stays cordoned. Kept on the Node, where the next run finds it. */
const cordonedBy = "groundwork/cordoned-for";

/** A pod in one line: namespace, name, kind of its owner, whether it is on its way out. Finished ones and a machine's own are none. */
const podTemplate =
  '{{range .items}}{{$owner := "none"}}{{range .metadata.ownerReferences}}{{if .controller}}{{$owner = .kind}}{{end}}{{end}}' +
  '{{if and (ne .status.phase "Succeeded") (ne .status.phase "Failed") (ne $owner "DaemonSet") (ne $owner "Node")}}' +
  '{{.metadata.namespace}} {{.metadata.name}} {{$owner}} {{if .metadata.deletionTimestamp}}leaving{{else}}here{{end}}{{"\\n"}}{{end}}{{end}}';

/**
 * Shell functions around a node's pods. They need `$kubectl`, and `fail`. Pods are moved by evictions, which keep to
 * PodDisruptionBudgets (kubernetes.io/docs/tasks/administer-cluster/safely-drain-node); `kubectl drain` would do the same, but
 * asks for rights over DaemonSets, which an agent's kubelet does not have.
 */
export const drainFunctions = `
pods_on() { # NODE
  $kubectl get pods --all-namespaces --field-selector "spec.nodeName=$1" --output 'go-template=${podTemplate}'
}
note() { $kubectl annotate node "$1" --overwrite "$2" > /dev/null; }
cordon() { # NODE REASON
  [ "$($kubectl get node "$1" --output 'jsonpath={.spec.unschedulable}')" = true ] && return 0
  note "$1" "${cordonedBy}=$2"
  $kubectl patch node "$1" --patch '{"spec":{"unschedulable":true}}' > /dev/null
}
uncordon() { # NODE: only where we cordoned it
  [ -n "$($kubectl get node "$1" --output 'jsonpath={.metadata.annotations.${cordonedBy}}')" ] || return 0
  $kubectl patch node "$1" --patch '{"spec":{"unschedulable":null},"metadata":{"annotations":{"${cordonedBy}":null}}}' > /dev/null
}
drain() { # NODE SECONDS: succeeds once no pod is left that can be elsewhere; else says which ones are
  local end=$((SECONDS + $2)) pods refused='' answer namespace name owner state
  while :; do
    pods=$(pods_on "$1") || { sleep 1; pods='? ? ? ?'; }
    [ -n "$pods" ] || return 0
    refused=''
    while read -r namespace name owner state; do
      [ "$state" = here ] || continue
      # K3s's local-path provisioner empties a volume's folder by a pod of its own, which ends by itself in a moment.
      case "$namespace/$name" in kube-system/helper-pod-*) continue ;; esac
      if [ "$owner" = none ]; then
        echo "pod $namespace/$name has no controller and would be lost: delete it, or set cluster.upgrade.drain to false" >&2
        return 1
      fi
      answer=$(printf '{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"%s","namespace":"%s"}}' "$name" "$namespace" |
        $kubectl create --raw "/api/v1/namespaces/$namespace/pods/$name/eviction" --filename - 2>&1) ||
        case "$answer" in *'not found'*) ;; *) refused="$refused $namespace/$name (\${answer##*: })" ;; esac
    done <<< "$pods"
    # The cluster has lost the machine: nobody is there to end its pods, and they go with its Node object.
    if [ "$($kubectl get node "$1" --output 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = Unknown ]; then
      echo "$1 does not answer: its pods are not waited for"
      return 0
    fi
    [ "$SECONDS" -lt "$end" ] || break
    sleep 1
  done
  echo "after $2 s these pods are still on $1:\${refused:- $(cut -d' ' -f1,2 <<< "$pods" | tr ' \\n' '/ ')}" >&2
  return 1
}
`;

/** Shell: K3s is stopped and started again with its files as they are; its pods run on. */
export const restartUnit = (role: NodePlan["role"]): string => `systemctl restart --no-block ${unitName(role)}`;
