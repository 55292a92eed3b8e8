export * from "./local-ca";
export type { Issuer } from "./issuer";
export { CertManager, type CertManagerArgs } from "./cert-manager";
export * from "./issuers";
export {
  certificateSecret,
  issueCertificate,
  planCertificate,
  type CertificateArgs,
  type IssuedCertificate,
} from "./certificate";
export { acmeServers, type AcmeSolver, type Rfc2136, type SecretKey } from "./acme";
