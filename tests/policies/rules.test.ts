import * as assert from "node:assert/strict";
import { Secret } from "@pulumi/policy";
import { rules } from "../../policies/rules";
import { additions, cases } from "./cases";
import { runPack, TestResource, unknownString, Violation } from "./engine-like";
import { sample, SampleName } from "./sample";
import { paths, set } from "./paths";

/** Every rule is told the same: the sample is for production, and may cost what it costs. */
const cost = { currency: "EUR", prices: { cx23: 10, "primary-ipv4": 1, "volume-gb": 0.1 }, monthlyCap: 12 };
const config = Object.fromEntries(rules.map(({ id }) => [id, { environment: "production", cost }]));
const run = (resources: readonly TestResource[]): Promise<Violation[]> => runPack(resources, { rules, config });

/** Exactly the expected rules speak, and the message says what is expected. */
function assertRefused(found: readonly Violation[], rule: string, says: RegExp, also: readonly string[] = []): void {
  assert.deepEqual([...new Set(found.map((one) => one.rule))].sort(), [rule, ...also].sort());
  const messages = found.filter((one) => one.rule === rule).map((one) => one.message);
  assert.ok(
    messages.some((message) => says.test(message)),
    `${String(says)} is not in:\n${messages.join("\n")}`,
  );
}

describe("policy rules", () => {
  it("accept the sample", async () => {
    assert.deepEqual(await run(Object.values(sample())), []);
  });

  it("have each a change that they refuse", () => {
    const tried = new Set([...cases, ...additions].map(({ rule }) => rule));
    // Below: they need secret marks.
    for (const rule of ["no-secret-values", "quiet-secret-commands"]) tried.add(rule);
    assert.deepEqual(
      rules.map(({ id }) => id).filter((id) => !tried.has(id)),
      [],
    );
  });

  for (const { rule, target, path, value, says, also, with: more = {} } of cases) {
    it(`${rule} refuses ${path} = ${JSON.stringify(value)?.slice(0, 60)} in ${target}`, async () => {
      const resources = sample();
      for (const [other, needed] of Object.entries(more)) set(resources[target].props, other, needed);
      set(resources[target].props, path, value);
      assertRefused(await run(Object.values(resources)), rule, says, also);
      set(resources[target].props, "metadata.annotations", unknownString);
      assertRefused(await run(Object.values(resources)), rule, says, also);
    });
  }

  for (const { rule, add, remove, says, also } of additions) {
    it(`${rule} refuses the sample ${remove ? `without ${remove}` : `with ${add?.type}`}`, async () => {
      const { ...resources } = sample() as Partial<Record<SampleName, TestResource>>;
      if (remove) delete resources[remove];
      assertRefused(await run([...Object.values(resources), ...(add ? [add] : [])]), rule, says, also);
    });
  }

  it("no-secret-values refuses a generated password in a ConfigMap, an argument, a variable", async () => {
    const places: [SampleName, string][] = [
      ["configMap", "data.greeting"],
      ["deployment", "spec.template.spec.containers.0.args.0"],
      ["deployment", "spec.template.spec.containers.0.env.0.value"],
      ["ingress", "metadata.annotations"],
    ];
    for (const [target, path] of places) {
      const resources = sample();
      set(resources[target].props, path, new Secret(path.endsWith("annotations") ? { note: "x7Gq" } : "x7Gq"));
      const found = await run(Object.values(resources));
      assertRefused(found, "no-secret-values", /has a secret value in [a-zA-Z.[\]0-9]+\./);
      assert.ok(
        found.every(({ message }) => !message.includes("x7Gq")),
        "the message shows the secret",
      );
    }
    const resources = sample();
    set(resources.secret.props, "stringData", new Secret({ password: "x7Gq" }));
    assert.deepEqual(await run(Object.values(resources)), []);
  });

  it("quiet-secret-commands refuses a command that logs, once it is given a secret", async () => {
    for (const path of ["stdin", "environment.TOKEN"]) {
      const resources = sample();
      set(resources.command.props, path, new Secret("x7Gq"));
      const says = new RegExp(`is given a secret in ${path} and logs what it prints\\.`);
      assertRefused(await run(Object.values(resources)), "quiet-secret-commands", says);
      set(resources.command.props, "logging", "none");
      assert.deepEqual(await run(Object.values(resources)), []);
    }
  });

  it("never show the value of a secret that they found", async () => {
    for (const { target, path, value } of cases) {
      if (!JSON.stringify(value)?.includes("hunter2")) continue;
      const resources = sample();
      set(resources[target].props, path, value);
      for (const { message } of await run(Object.values(resources))) assert.doesNotMatch(message, /hunter2/);
    }
  });

  it("say nothing about values that are not known yet, wherever they are", async () => {
    const names = Object.keys(sample()) as SampleName[];
    let tried = 0;
    for (const name of names) {
      for (const path of paths(sample()[name].props)) {
        const resources = sample();
        set(resources[name].props, path, unknownString);
        const found = await runPack(Object.values(resources), { rules, config, only: resources[name] });
        assert.deepEqual(found, [], `${name}.${path} is unknown`);
        tried += 1;
      }
    }
    assert.ok(tried > 200, `only ${tried} places tried`);
  }).timeout(180_000);
});
