import * as assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { AgeError, decrypted, encrypting } from "../../../components/backup";

/** Written by age 1.1.1 of Debian (`age --passphrase`) for the passphrase and the text below. */
const written = Buffer.from(
  "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBsbVQzb1c4MzNXVzVmQU5KanBtMk1BIDE4CngyZkEzR05TcmNHYlJRYm0vdGYxeUxTbUpFYThkNUZwNE9jbFdCdEdQS0EKLS0tIDhxSjlMZURYUmp6Y0puM3FQa0dwSEpuZlpCUmgwMUUrRlA1R1J6aUpWVTAKBCySL4PZeBQZt4PTLgAaEQhcT7E8PoV4SlpxkwLBgFm0bMk0vKMZsiQCOTF4BWm5nRMlx6kLUVHF",
  "base64",
);
const passphrase = "correct horse";

const encrypt = async (content: Buffer, word = passphrase): Promise<Buffer> =>
  buffer(Readable.from([content]).pipe(await encrypting(word, 10)));
/** In pieces of an odd size, as a network gives them. */
const pieces = (bytes: Buffer, size = 1009): Readable =>
  Readable.from(
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size)),
  );
const decrypt = (bytes: Buffer, word = passphrase): Promise<Buffer> => buffer(decrypted(word, pieces(bytes)));
const refuses = (bytes: Buffer, cause: AgeError["cause"], word?: string) =>
  assert.rejects(decrypt(bytes, word), (error) => error instanceof AgeError && error.cause === cause);

const chunk = 64 * 1024;

describe("encryption of backups", function () {
  this.timeout(20_000);

  it("opens what age itself has written", async () => {
    assert.equal((await decrypt(written)).toString("utf8"), "what age itself encrypted");
  });

  for (const size of [0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk]) {
    it(`gives ${size} bytes back as they were`, async () => {
      const content = randomBytes(size);
      const encrypted = await encrypt(content);
      assert.ok((await decrypt(encrypted)).equals(content));
      if (size > 16) assert.ok(!encrypted.includes(content.subarray(0, 16)));
    });
  }

  it("tells a wrong passphrase from damage", async () => {
    const encrypted = await encrypt(randomBytes(2 * chunk));
    await refuses(encrypted, "passphrase", "wrong horse");
    for (const at of [encrypted.length - 1, encrypted.length - chunk, 100, 160]) {
      const damaged = Buffer.from(encrypted);
      damaged[at]! ^= 1;
      await assert.rejects(decrypt(damaged), AgeError, `byte ${at}`);
    }
  });

  it("notices a file that was cut off, wherever", async () => {
    const encrypted = await encrypt(randomBytes(2 * chunk));
    const header = encrypted.length - 2 * (chunk + 16);
    for (const end of [0, 20, header - 20, header, header + chunk + 16, encrypted.length - 1]) {
      await refuses(encrypted.subarray(0, end), "damaged");
    }
    await refuses(Buffer.concat([encrypted, Buffer.from("more")]), "damaged");
    await refuses(randomBytes(1000), "damaged");
  });

  it("writes another file each time", async () => {
    const content = Buffer.from("the same");
    assert.ok(!(await encrypt(content)).equals(await encrypt(content)));
  });

  it("does not believe a header that asks for all the memory", async () => {
    const greedy = Buffer.from(written.toString("latin1").replace(" 18\n", " 24\n"), "latin1");
    await refuses(greedy, "damaged");
  });
});
