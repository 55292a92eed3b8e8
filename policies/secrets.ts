/** Last words of names that announce a secret value; `password_file` and `token_audience` tell about one and are none. */
export const secretWords = [
  "password",
  "pgpassword",
  "passwd",
  "passphrase",
  "secret",
  "token",
  "api[_-]?key",
  "access[_-]?key",
  "private[_-]?key",
  "credential",
];
/** The beginning of a private key in PEM. */
export const privateKeyHeader = "-----BEGIN [A-Z ]*PRIVATE KEY-----";
/** A URL with a user and a password. */
export const urlWithPassword = "\\b[a-z][a-z0-9+.-]*://[^\\s/:@]+:[^\\s/:@${]+@";
/** Values beside a secret's name that are none: paths, references and switches. */
export const literalExemptions = "^(/|\\$\\(|\\$\\{|file:|true$|false$|none$|\\d+$)";

const secretName = new RegExp(`(^|[^a-z])(${secretWords.join("|")})s?[^a-z]*$`, "i");
const pem = new RegExp(privateKeyHeader);
const credentialsInUrl = new RegExp(urlWithPassword, "i");
const exempted = new RegExp(literalExemptions, "i");

/** Whether the name of a variable, flag or key says that its value is a secret. */
export function namesSecret(name: string): boolean {
  return secretName.test(name.replace(/([a-z0-9])([A-Z])/g, "$1_$2"));
}

/** Whether a text holds a private key or a URL with a password in it. */
export const holdsSecret = (text: string): boolean => pem.test(text) || credentialsInUrl.test(text);

/** Whether a literal next to a secret's name is its value: paths, references and switches are not. */
export function isSecretLiteral(value: string): boolean {
  return value !== "" && !exempted.test(value);
}

/**
 * Secrets that a command line carries: `--password=x`, `--token x`, `PGPASSWORD=x psql`, a private key, a URL with a password.
 * Gives what was found, never the value.
 */
export function secretsOnCommandLine(words: readonly string[]): string[] {
  return words.flatMap((word, index) => {
    if (holdsSecret(word)) return ["a private key or a URL with a password"];
    const assignment = /^-{0,2}([A-Za-z][\w.-]*)=([\s\S]*)$/.exec(word);
    if (assignment) return namesSecret(assignment[1]!) && isSecretLiteral(assignment[2]!) ? [assignment[1]!] : [];
    const flag = /^--?([A-Za-z][\w.-]*)$/.exec(word);
    const next = words[index + 1];
    const value = next !== undefined && !next.startsWith("-") && isSecretLiteral(next);
    return flag && value && namesSecret(flag[1]!) ? [flag[1]!] : [];
  });
}
