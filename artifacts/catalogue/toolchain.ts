import { pinnedVersion } from "../go/recipe";
import { platform } from "../lockfile";
import type { Entry, Source } from "./types";

// renovate: datasource=github-releases depName=pulumi/pulumi
const PULUMI = "3.250.0";

/** The CLI's archives say x64 where everything else says amd64. */
const cliPlatform = platform.replace("amd64", "x64");

/** What the CLI's archive brings for Node programs, beside the CLI itself. */
const NODE_PARTS = ["pulumi-language-nodejs", "pulumi-resource-pulumi-nodejs", "pulumi-analyzer-policy"];

/** The Pulumi CLI and the plugins that this project's programs load. */
export const toolchain: Entry[] = [
  {
    name: "pulumi",
    version: `v${PULUMI}`,
    kind: "file",
    about: "Pulumi CLI and engine",
    file: "pulumi",
    sources: [
      {
        type: "download",
        parts: "official",
        seconds: 20,
        url: `https://get.pulumi.com/releases/sdk/pulumi-v${PULUMI}-${cliPlatform}.tar.gz`,
        checksums: `https://github.com/pulumi/pulumi/releases/download/v${PULUMI}/pulumi-${PULUMI}-checksums.txt`,
        unpack: Object.fromEntries(["pulumi", ...NODE_PARTS].map((name) => [`pulumi/${name}`, name])),
      },
      { type: "go", parts: "built", seconds: 240, folder: "artifacts/recipes/pulumi", output: "pulumi" },
    ],
  },
  {
    name: "language-nodejs",
    version: `v${PULUMI}`,
    kind: "plugin",
    about: "runs Node programs, policy packs and dynamic providers for the engine",
    file: "pulumi-language-nodejs",
    sources: [
      {
        type: "part-of",
        parts: "official",
        seconds: 1,
        entry: "pulumi",
        files: Object.fromEntries(NODE_PARTS.map((name) => [name, name])),
      },
      engineStandIn("pulumi-language-nodejs", "pulumi-resource-pulumi-nodejs"),
    ],
  },
  provider("kubernetes", {
    type: "go",
    parts: "stand-in",
    seconds: 120,
    folder: "standins/kubernetes",
    output: "pulumi-resource-kubernetes",
  }),
  provider("command", engineStandIn("pulumi-resource-command")),
  provider("random", engineStandIn("pulumi-resource-random")),
  provider("tls", engineStandIn("pulumi-resource-tls")),
  provider("hcloud", engineStandIn("pulumi-resource-hcloud")),
  {
    name: "engine",
    version: `v${PULUMI}`,
    kind: "file",
    about: "the stand-ins of the language host and of four providers, as one multi-call binary",
    file: "groundwork-engine",
    internal: true,
    sources: [{ type: "go", parts: "stand-in", seconds: 60, folder: "standins/engine", output: "groundwork-engine" }],
  },
];

/** A provider plugin in the version that its npm package asks the engine for. */
function provider(name: string, standIn: Source): Entry {
  const version = pinnedVersion(`@pulumi/${name}`);
  const binary = `pulumi-resource-${name}`;
  return {
    name: `plugin-${name}`,
    version: `v${version}`,
    kind: "plugin",
    about: `Pulumi's ${name} provider`,
    file: binary,
    sources: [
      {
        type: "download",
        parts: "official",
        seconds: 15,
        url: `https://get.pulumi.com/releases/plugins/${binary}-v${version}-${platform}.tar.gz`,
        checksums: `https://github.com/pulumi/pulumi-${name}/releases/download/v${version}/pulumi-${name}_${version}_checksums.txt`,
        unpack: { [binary]: binary },
      },
      standIn,
    ],
  };
}

/** The stand-ins' binary goes by the name that it is called by. */
function engineStandIn(...names: string[]): Source {
  const files = Object.fromEntries(names.map((name) => [name, "groundwork-engine"]));
  return { type: "part-of", parts: "stand-in", seconds: 1, entry: "engine", files };
}
