import { maybeElsewhere, namespacesOf } from "../namespaces";
import { Resource } from "../resource";
import { cis, nsa, stackRule } from "../rule";
import { isNot, isUnknown } from "../unknown";

const isDefaultAccount = ({ object, props }: Resource): boolean =>
  object?.kind === "ServiceAccount" && (object.name === "default" || isUnknown(props["metadata"]?.name));

/** Pods that operators make without naming an account run as the default one: it must have no token to give them. */
export const namespaceDefaultAccount = stackRule(
  {
    id: "namespace-default-account",
    title: "The default service account of every namespace mounts no token",
    severity: "medium",
    controls: [cis("5.1.5"), cis("5.1.6"), nsa("Protecting Pod service account tokens")],
    remediation: "Make the namespace with PlatformNamespace, which patches the account.",
  },
  (resources, report) => {
    if (maybeElsewhere(resources, "ServiceAccount")) return;
    for (const { name, resource, members } of namespacesOf(resources)) {
      const closed = members.some(
        (member) => isDefaultAccount(member) && !isNot(member.props["automountServiceAccountToken"], false),
      );
      if (!closed) {
        report(resource ?? members[0], `the default service account of namespace "${name}" mounts its token`);
      }
    }
  },
);
