/** The engine layer's API server is the one that `rehearse` gives users. */
export { startApiServer, until } from "../../standins/rehearsal/apiserver";
export type { ApiServer, ApiServerOptions } from "../../standins/rehearsal/apiserver";
export { at, KubeApi, KubeApiError } from "../../standins/rehearsal/kube-api";
export type { KubeObject } from "../../standins/rehearsal/kube-api";
export { simulateNodes } from "../../standins/rehearsal/nodes";
