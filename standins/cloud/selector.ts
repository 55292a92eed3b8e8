import { invalid } from "./errors";

export type Labels = Record<string, string>;

const part = "[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?";
const dns = "[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*";
const keyForm = `(${dns}/)?${part}`;
const key = new RegExp(`^${keyForm}$`);
const value = new RegExp(`^(${part})?$`);

/** Labels as they were given; throws `invalid_input` for keys and values that the API refuses. */
export function checkLabels(given: unknown): Labels {
  if (given === undefined || given === null) return {};
  if (typeof given !== "object" || Array.isArray(given)) throw invalid("labels", "must be an object of strings");
  for (const [k, v] of Object.entries(given)) {
    if (!key.test(k) || k.length > 317 || k.toLowerCase().startsWith("hetzner.cloud/")) {
      throw invalid("labels", `'${k}' is not a valid key`);
    }
    if (typeof v !== "string" || !value.test(v)) throw invalid("labels", `value of '${k}' is not valid`);
  }
  return { ...(given as Labels) };
}

/**
 * Compiles a label selector: `k`, `!k`, `k=v`, `k==v`, `k!=v`, `k in (a,b)`, `k notin (a,b)`, and several with commas between, all of
 * which must hold. A key that is not there differs from every value. Throws `invalid_input` for anything else.
 */
export function compileSelector(text: string, field = "label_selector"): (labels: Labels) => boolean {
  const terms = text.split(/,(?![^(]*\))/).map((term) => compileTerm(term.trim(), field));
  return (labels) => terms.every((term) => term(labels));
}

function compileTerm(term: string, field: string): (labels: Labels) => boolean {
  const match = (form: string) => new RegExp(`^${form}$`).exec(term)?.groups;
  const values = (list = "") => {
    const found = list.split(",").map((v) => v.trim());
    if (!found.every((v) => value.test(v))) throw invalid(field, `'${term}' is not a label selector`);
    return found;
  };
  let m = match(`(?<key>${keyForm})\\s+(?<op>in|notin)\\s*\\((?<values>[^()]*)\\)`);
  if (m) {
    const [k, wanted, inside] = [m["key"]!, values(m["values"]), m["op"] === "in"];
    return (labels) => (labels[k] !== undefined && wanted.includes(labels[k])) === inside;
  }
  m = match(`(?<key>${keyForm})\\s*(?<op>==|=|!=)\\s*(?<value>[^,()=!]*)`);
  if (m) {
    const [k, wanted, equal] = [m["key"]!, values(m["value"])[0], m["op"] !== "!="];
    return (labels) => (labels[k] === wanted) === equal;
  }
  m = match(`(?<not>!?)\\s*(?<key>${keyForm})`);
  if (m) {
    const [k, there] = [m["key"]!, m["not"] === ""];
    return (labels) => (labels[k] !== undefined) === there;
  }
  throw invalid(field, `'${term}' is not a label selector`);
}
