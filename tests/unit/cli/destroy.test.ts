import * as assert from "node:assert/strict";
import { confirm, refusePart } from "../../../cli/destroy";

// A test has no terminal, so whoever asks here is a script.
describe("the guard before a destroy", () => {
  const says = (message: RegExp) => (error: Error) => message.test(error.message);

  it("lets a protected stack go only by its name", async () => {
    await confirm("prod", true, { confirm: "prod" });
    const refused = says(/^not destroyed: stack prod is protected .* --yes is not enough: .*--confirm prod$/);
    await assert.rejects(confirm("prod", true, {}), refused);
    await assert.rejects(confirm("prod", true, { yes: true }), refused);
  });

  it("takes no other stack's name, protected or not", async () => {
    const refused = says(/--confirm says "dev", and the stack is "prod"/);
    await assert.rejects(confirm("prod", true, { confirm: "dev" }), refused);
    await assert.rejects(confirm("prod", false, { confirm: "dev", yes: true }), refused);
    await assert.rejects(confirm("prod", false, { confirm: "" }), /--confirm says ""/);
  });

  it("takes no part of a stack, for the cluster would give back all that it has", () => {
    for (const part of [
      ["--target", "urn:x"],
      ["--target=urn:x"],
      ["-t", "urn:x"],
      ["--exclude-protected"],
      ["--preview-only"],
    ]) {
      assert.throws(() => refusePart("prod", part), says(/^not destroyed: .* npx pulumi destroy --stack prod -/));
    }
    refusePart("prod", ["--parallel", "4", "--targets-are-no-option"]);
  });

  it("asks nobody about a stack that is not protected, where nobody is", async () => {
    await confirm("dev", false, {});
    await confirm("dev", false, { yes: true });
  });
});
