/** Ports that the pods of the cloud's controllers are asked on whether they are well. */
export const cloudPorts = {
  /** The node controllers' own HTTPS port: /healthz. */
  nodeController: 10258,
  /** The volume driver's liveness, as its probe sees it. */
  driver: 9808,
  attacher: 9810,
  provisioner: 9811,
  resizer: 9812,
  registrar: 9813,
};
