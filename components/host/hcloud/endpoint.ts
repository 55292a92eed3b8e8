/**
 * Where the cloud's API is, when that is not Hetzner's own address: as the environment does, else as the stack says. The environment
 * wins, so that a rehearsal or a test that names its emulator there reaches nothing else, whatever stands in the stack's file.
 */
export const cloudEndpoint = (settings: { endpoint?: string } | undefined): string | undefined =>
  process.env["HCLOUD_ENDPOINT"] || settings?.endpoint;
