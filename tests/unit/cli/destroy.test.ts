import * as assert from "node:assert/strict";
import { confirm } from "../../../cli/destroy";

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

  it("asks nobody about a stack that is not protected, where nobody is", async () => {
    await confirm("dev", false, {});
    await confirm("dev", false, { yes: true });
  });
});
