import * as assert from "node:assert/strict";
import { findings } from "../../cli/doctor/machines";
import { settledText } from "../../cli/target";
import {
  Choice,
  choiceOfState,
  chooseDriver,
  decide,
  Grounds,
  Hindrances,
  leavesChoice,
  settle,
} from "../../components/host/choice";
import { targetSchema } from "../../components/host/settings";

const none: Hindrances = { nspawn: undefined, docker: undefined, multipass: undefined };
const no = (...drivers: (keyof Hindrances)[]): Hindrances => ({
  ...none,
  ...Object.fromEntries(drivers.map((driver) => [driver, `no ${driver} here`])),
});

describe("the choice of a driver", () => {
  const cases: [string, Hindrances, string][] = [
    ["nspawn where all are there", none, "nspawn"],
    ["docker where nspawn is not", no("nspawn"), "docker"],
    ["multipass where nothing else is", no("nspawn", "docker"), "multipass"],
    ["nspawn, whatever the others are", no("docker", "multipass"), "nspawn"],
  ];
  for (const [what, hindrances, driver] of cases)
    it(`is ${what}`, () => assert.equal(chooseDriver(hindrances).driver, driver));

  it("says what was passed over, and why", () => {
    assert.equal(chooseDriver(no("nspawn")).why, "the Docker engine answers; nspawn not: no nspawn here");
  });

  it("names what to install, once, where there is nothing", () => {
    assert.throws(() => chooseDriver(no("nspawn", "docker", "multipass")), {
      message: new RegExp(
        [
          "^this computer has nothing that could make machines; any one of these will do \\(docs/runbooks/drivers\\.md\\):",
          "nspawn: no nspawn here; .*apt-get install systemd-container.*",
          "docker: no docker here; .*",
          "multipass: no multipass here; .*$",
        ].join("\n *"),
      ),
    });
  });

  it("can be forced, and by nothing that is no driver", () => {
    assert.equal(chooseDriver(none, "multipass").driver, "multipass");
    assert.throws(() => chooseDriver(none, "qemu"), {
      message: 'GROUNDWORK_DRIVER is "qemu": it must be nspawn, docker, multipass',
    });
  });
});

describe("the decision for a stack", () => {
  const never = (): never => assert.fail("asked without need");
  const grounds = (change: Partial<Grounds> = {}): Grounds => ({
    ...{ stack: "dev", hindrances: () => none, publishNeeded: never },
    ...change,
  });
  const auto = { driver: "auto" };

  it("is left alone where the settings say it", () => {
    for (const target of [{ driver: "nspawn" }, { driver: "ssh", hosts: [] }, { driver: "hcloud" }, undefined]) {
      assert.equal(decide(target, grounds({ hindrances: never })), undefined);
    }
  });

  it("says which driver and why", () => {
    const decided = decide(auto, grounds());
    assert.deepEqual(decided, {
      choice: { driver: "nspawn" },
      line: "machines of dev: nspawn (root on Linux with systemd-nspawn: machines start in seconds)",
    });
  });

  it("finds out how the machines of a Docker engine are reached, and keeps that", () => {
    const decided = decide(auto, grounds({ hindrances: () => no("nspawn"), publishNeeded: () => true }));
    assert.deepEqual(decided?.choice, { driver: "docker", publish: true });
    assert.match(decided.line, /^machines of dev: docker, reached by ports of this computer \(/);
    const said = { driver: "docker", publish: { enabled: true } };
    assert.equal(decide(said, grounds({ hindrances: never })), undefined);
    assert.deepEqual(decide({ driver: "docker" }, grounds({ publishNeeded: () => false }))?.choice, {
      driver: "docker",
      publish: false,
    });
  });

  it("stays what it was, whatever the computer has got meanwhile", () => {
    const known: Choice = { driver: "docker", publish: true };
    assert.deepEqual(decide(auto, grounds({ known, hindrances: never })), {
      choice: known,
      line: "machines of dev: docker, as it was made",
    });
  });

  it("is refused where it would move the machines of a stack", () => {
    const known: Choice = { driver: "nspawn" };
    const message = (what: string) =>
      new RegExp(`^stack dev stands on nspawn, and ${what} says docker: .*npm run destroy -- --stack dev`);
    assert.throws(() => decide(auto, grounds({ known, forced: "docker" })), { message: message("GROUNDWORK_DRIVER") });
    assert.throws(() => decide({ driver: "docker" }, grounds({ known })), { message: message("target.driver") });
    assert.equal(decide(auto, grounds({ known, forced: "nspawn" }))?.choice, known);
  });
});

describe("a target with the choice in it", () => {
  const auto = {
    driver: "auto",
    servers: 3,
    cpus: 1.5,
    network: { cidr: "10.9.0.0/24", bridge: "gwx0" },
    firewall: { adminSources: ["10.9.0.0/24", "192.0.2.0/24"], ports: [8443] },
  };

  it("is right for each driver", () => {
    for (const driver of ["nspawn", "docker", "multipass"] as const) {
      const settled = targetSchema.parse(settle(auto, { driver, publish: true }));
      assert.equal(settled.driver, driver);
      assert.equal("servers" in settled && settled.servers, 3);
    }
  });

  it("loses what the driver does not have, and who may administrate from a network that is not there", () => {
    assert.deepEqual(settle(auto, { driver: "multipass" }), {
      ...{ driver: "multipass", servers: 3, cpus: 2 },
      firewall: { adminSources: ["192.0.2.0/24"], ports: [8443] },
    });
    assert.deepEqual((settle(auto, { driver: "docker", publish: true }) as { network: object }).network, {
      cidr: "10.9.0.0/24",
    });
  });

  it("keeps what the settings say of docker themselves", () => {
    const given = { driver: "docker", publish: { enabled: false, sshPort: 2300 } };
    assert.deepEqual(settle(given, { driver: "docker", publish: true }), given);
    assert.ok(!leavesChoice(given));
    assert.ok(leavesChoice({ driver: "docker", publish: { sshPort: 2300 } }));
  });

  it("is not another target's", () => {
    const ssh = { driver: "ssh", hosts: [] };
    assert.equal(settle(ssh, { driver: "nspawn" }), ssh);
  });

  it("stands for nspawn where nobody has chosen: a captured graph is the same on every computer", () => {
    assert.deepEqual(targetSchema.parse({ driver: "auto" }), targetSchema.parse({ driver: "nspawn" }));
  });

  it("stands in the stack's file, and nothing else of the file changes", () => {
    const text =
      "# a comment\nconfig:\n  groundwork:domain: local\n  groundwork:target:\n    driver: auto # choose\n    servers: 1\n";
    const settled = settledText(text, { driver: "docker", publish: true });
    assert.match(settled, /^# a comment\nconfig:\n {2}groundwork:domain: local\n {2}groundwork:target:\n/);
    assert.match(settled, /driver: docker\n {4}servers: 1\n {4}publish:\n {6}enabled: true\n$/);
    for (const same of [text.replace("auto", "nspawn"), "config: {}\n"]) {
      assert.equal(settledText(same, { driver: "docker", publish: true }), same);
    }
    assert.equal(settledText(text, undefined), text);
  });
});

describe("what a stack stands on", () => {
  const machine = (spec: object) => ({
    type: "command:local:Command",
    inputs: { environment: { GROUNDWORK_MACHINE: JSON.stringify(spec) } },
  });

  it("is told by its state, where what was kept is lost", () => {
    const stack = { type: "pulumi:pulumi:Stack" };
    assert.equal(choiceOfState([]), undefined);
    assert.equal(choiceOfState([stack, { type: "groundwork:host:SshHost" }]), undefined);
    assert.deepEqual(choiceOfState([stack, { type: "groundwork:host:NspawnHost" }]), { driver: "nspawn" });
    const docker = { type: "groundwork:host:DockerHost" };
    assert.deepEqual(choiceOfState([docker, machine({ published: { ports: {} } })]), {
      driver: "docker",
      publish: true,
    });
    assert.deepEqual(choiceOfState([docker, machine({})]), { driver: "docker", publish: false });
  });
});

describe("doctor, of the driver", () => {
  it("names a driver that does not work, with the page", () => {
    const [finding] = findings("docker", "no daemon", () => assert.fail("asked"));
    assert.deepEqual(
      [finding?.level, finding?.found, finding?.runbook],
      ["fail", "docker: no daemon", "docs/runbooks/drivers.md"],
    );
  });

  it("names machines that do not run", () => {
    const seen = [
      { id: "dev/server-1", running: true },
      { id: "dev/agent-1", running: false },
    ];
    assert.deepEqual(
      findings("nspawn", undefined, () => seen).map(({ check, level }) => `${level} ${check}`),
      ["ok driver", "fail machine dev/agent-1"],
    );
  });
});
