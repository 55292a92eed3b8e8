import * as pulumi from "@pulumi/pulumi";
import { Client, NamespaceRef } from "../workload";

/** Who signs: a ClusterIssuer of cert-manager, by reference. */
export interface Issuer {
  kind: "ClusterIssuer";
  /** Name of the object, known once cert-manager says that it is Ready. */
  name: pulumi.Output<string>;
  /** Root certificate that clients trust, PEM; undefined where the graph does not know it. */
  ca?: pulumi.Output<string>;
  /** Lets cert-manager keep certificates in a namespace; certificates come after what it gives back. */
  serve?: (namespace: NamespaceRef) => pulumi.Resource[];
  /**
   * HTTP-01: the pods that answer an authority's questions, in the certificate's namespace, and their port. The edge leads
   * `/.well-known/acme-challenge/` to them; `asker` tries that before it lets the authority ask.
   */
  challenges?: { pods: Record<string, string>; port: number; asker: Client };
}
