/** Where the cloud's API is, when that is not Hetzner's own address: as the stack says, else as the environment does. */
export const cloudEndpoint = (settings: { endpoint?: string } | undefined): string | undefined =>
  settings?.endpoint ?? process.env["HCLOUD_ENDPOINT"];
