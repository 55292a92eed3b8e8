import { pinnedVersion } from "../go/recipe";
import { platform } from "../lockfile";
import type { Entry } from "./types";

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
      { type: "go", parts: "built", seconds: 300, folder: "artifacts/recipes/pulumi", output: "pulumi" },
    ],
  },
  {
    name: "language-nodejs",
    version: `v${PULUMI}`,
    kind: "plugin",
    about: "runs Node programs, policy packs and dynamic providers for the engine",
    file: "pulumi-language-nodejs",
    sources: [
      { type: "part-of", parts: "official", seconds: 1, entry: "pulumi", files: NODE_PARTS },
      {
        type: "go",
        parts: "stand-in",
        seconds: 60,
        folder: "standins/engine",
        output: "pulumi-language-nodejs",
        beside: ["pulumi-resource-pulumi-nodejs"],
      },
    ],
  },
  provider("kubernetes", "standins/kubernetes", 240),
  provider("command", "standins/engine", 60),
  provider("random", "standins/engine", 30),
  provider("tls", "standins/engine", 30),
  provider("hcloud", "standins/engine", 30),
];

/** A provider plugin in the version that its npm package asks the engine for. */
function provider(name: string, standIn: string, seconds: number): Entry {
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
      { type: "go", parts: "stand-in", seconds, folder: standIn, output: binary },
    ],
  };
}
