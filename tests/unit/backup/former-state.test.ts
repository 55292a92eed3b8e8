import * as assert from "node:assert/strict";
import { isNewer } from "../../../cli/restore/compare";
import { type Checkpoint, forAnotherStack, knowsCluster, withoutCluster } from "../../../cli/restore/former-state";

const urn = (rest: string, stack = "prod"): string => `urn:pulumi:${stack}::groundwork::${rest}`;
const stackUrn = urn("pulumi:pulumi:Stack::groundwork-prod");
const platform = urn("groundwork:stacks:Platform::platform");
const ca = urn("groundwork:stacks:Platform$groundwork:pki:LocalCa::ca");
const provider = urn("pulumi:providers:tls::tls");
const machine = urn("groundwork:host:NspawnHost$command:local:Command::server-1-machine");

const checkpoint: Checkpoint = {
  version: 3,
  deployment: {
    secrets_providers: { type: "passphrase", state: { salt: "v1:x" } },
    pending_operations: [{}],
    resources: [
      { urn: stackUrn, type: "pulumi:pulumi:Stack", outputs: { kubeconfig: "old" } },
      { urn: provider, type: "pulumi:providers:tls", custom: true },
      { urn: urn("pulumi:providers:kubernetes::k3s"), type: "pulumi:providers:kubernetes", custom: true },
      { urn: machine, type: "command:local:Command", custom: true, parent: stackUrn },
      { urn: platform, type: "groundwork:stacks:Platform", parent: stackUrn },
      { urn: ca, type: "groundwork:pki:LocalCa", parent: platform },
      {
        urn: `${ca}-key`,
        type: "tls:index/privateKey:PrivateKey",
        custom: true,
        parent: ca,
        provider: `${provider}::4711`,
        dependencies: [machine],
        propertyDependencies: { algorithm: [machine], curve: null },
        deletedWith: machine,
      },
      {
        urn: urn("kubernetes:core/v1:Secret::login"),
        type: "kubernetes:core/v1:Secret",
        custom: true,
        parent: platform,
      },
      {
        urn: urn("hcloud:index/server:Server::one"),
        type: "hcloud:index/server:Server",
        custom: true,
        parent: stackUrn,
      },
    ],
  },
};

describe("the state of a cluster that is lost", () => {
  const left = withoutCluster(checkpoint).deployment;

  it("keeps keys with what they hang on, and what only the cloud can tell of", () => {
    assert.deepEqual(
      left.resources?.map(({ type }) => type),
      [
        "pulumi:pulumi:Stack",
        "pulumi:providers:tls",
        "groundwork:stacks:Platform",
        "groundwork:pki:LocalCa",
        "tls:index/privateKey:PrivateKey",
        "hcloud:index/server:Server",
      ],
    );
    assert.deepEqual(left["secrets_providers"], checkpoint.deployment["secrets_providers"]);
  });

  it("has no tie to what is not there any more, and no word of the cluster", () => {
    const key = left.resources?.find(({ type }) => type.startsWith("tls:"));
    assert.deepEqual(key?.dependencies, []);
    assert.deepEqual(key?.propertyDependencies, { algorithm: [], curve: null });
    assert.equal(key?.deletedWith, undefined);
    assert.deepEqual(left.resources?.[0]?.outputs, {});
    assert.equal(left.pending_operations, undefined);
  });

  it("tells a state with machines from one with keys only", () => {
    assert.equal(knowsCluster(checkpoint), true);
    const keysOnly = { ...left, resources: left.resources?.filter(({ type }) => !type.startsWith("hcloud")) };
    assert.equal(knowsCluster({ version: 3, deployment: keysOnly }), false);
  });

  it("becomes another stack's with the same keys, and without the first one's cloud", () => {
    const { resources = [] } = forAnotherStack(withoutCluster(checkpoint), "prod", "standby").deployment;
    assert.ok(!JSON.stringify(resources).includes("urn:pulumi:prod"));
    assert.equal(resources[0]?.urn, urn("pulumi:pulumi:Stack::groundwork-standby", "standby"));
    assert.equal(
      resources.find(({ type }) => type.startsWith("tls:"))?.provider,
      `${urn("pulumi:providers:tls::tls", "standby")}::4711`,
    );
    assert.ok(!resources.some(({ type }) => type.startsWith("hcloud")));
  });
});

describe("versions of what keeps data", () => {
  it("are compared by as many parts as count", () => {
    assert.equal(isNewer("18.1", "17.12", 1), true);
    assert.equal(isNewer("17.13", "17.12", 1), false);
    assert.equal(isNewer("1.22.0", "1.21.2", 2), true);
    assert.equal(isNewer("1.21.9", "v1.21.2", 2), false);
    assert.equal(isNewer("1.9", "1.10", 2), false);
  });
});
