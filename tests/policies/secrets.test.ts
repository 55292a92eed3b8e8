import * as assert from "node:assert/strict";
import { holdsSecret, isSecretLiteral, namesSecret, secretsOnCommandLine } from "../../policies/secrets";

describe("what looks like a secret", () => {
  it("is told by the last word of a name", () => {
    for (const name of [
      "password",
      "DB_PASSWORD",
      "db-password",
      "clientSecret",
      "AWS_SECRET_ACCESS_KEY",
      "api_key",
      "token2",
    ]) {
      assert.equal(namesSecret(name), true, name);
    }
    for (const name of [
      "PASSWORD_FILE",
      "tokenPath",
      "TOKEN_AUDIENCE",
      "secretName",
      "passwordLength",
      "monkey",
      "compass",
    ]) {
      assert.equal(namesSecret(name), false, name);
    }
  });

  it("is a value, and not a path, a reference or a switch", () => {
    for (const value of ["hunter2", "abc=="]) assert.equal(isSecretLiteral(value), true, value);
    for (const value of ["", "/etc/db/password", "$(PASSWORD)", "${PASSWORD}", "file:/x", "true", "8080"]) {
      assert.equal(isSecretLiteral(value), false, value);
    }
  });

  it("is a private key or a URL with a password", () => {
    assert.ok(holdsSecret("x\n-----BEGIN RSA PRIVATE KEY-----\n"));
    assert.ok(holdsSecret("dsn=postgres://app:hunter2@db:5432/app"));
    assert.ok(!holdsSecret("-----BEGIN CERTIFICATE-----"));
    assert.ok(!holdsSecret("postgres://db:5432/app"));
    assert.ok(!holdsSecret("postgres://app:${PASSWORD}@db/app"));
  });

  it("is found on a command line in each of its forms", () => {
    const found = (...words: string[]) => secretsOnCommandLine(words);
    assert.deepEqual(found("--password=hunter2"), ["password"]);
    assert.deepEqual(found("--api-token", "abc"), ["api-token"]);
    assert.deepEqual(found("PGPASSWORD=hunter2", "psql"), ["PGPASSWORD"]);
    assert.deepEqual(found("PG_PASSWORD=hunter2", "psql"), ["PG_PASSWORD"]);
    assert.deepEqual(found("--token-file=/run/token", "--token", "/run/token", "--token", "--verbose"), []);
  });
});
