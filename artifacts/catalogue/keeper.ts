import type { Entry } from "./types";

/** The project's own, as in apps/keeper/package.json. */
const KEEPER = "0.1.0";

/** What initialises, unseals and configures the Vaults. */
export const keeperEntries: Entry[] = [
  {
    name: "keeper",
    version: KEEPER,
    kind: "image",
    about: "this project's keeper of the Vaults (apps/keeper) on Debian's Node",
    file: "keeper.tar",
    image: { name: "ghcr.io/groundwork/keeper", tag: KEEPER },
    sources: [
      {
        type: "compose",
        parts: "official", // the project's own: there is no other
        seconds: 60,
        layers: [
          { tar: "debian-node" },
          {
            files: [
              { entry: "keeper-bundle", to: "/app/keeper.cjs", mode: 0o644 },
              {
                text: "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532::/:/sbin/nologin\n",
                to: "/etc/passwd",
              },
              { text: "root:x:0:\nnonroot:x:65532:\n", to: "/etc/group" },
            ],
            directories: { "/tmp": { mode: 0o1777 } },
          },
        ],
        config: {
          entrypoint: ["/usr/bin/node", "/app/keeper.cjs"],
          env: ["PATH=/usr/bin", "NODE_ENV=production"],
          user: "65532:65532",
          workingDir: "/app",
        },
      },
    ],
  },
  {
    name: "keeper-bundle",
    version: KEEPER,
    kind: "file",
    about: "the keeper as one script",
    file: "keeper.cjs",
    internal: true,
    sources: [
      {
        type: "workspace",
        parts: "official",
        seconds: 10,
        workspace: "apps/keeper",
        script: "bundle",
        output: "dist/keeper.cjs",
        inputs: ["src", "bundle.mjs", "package.json"],
      },
    ],
  },
];
