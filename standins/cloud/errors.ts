import { CloudError } from "./backend";

/** HTTP status of the API's error codes; codes that belong to one operation answer 422 unless they stand here. */
const statuses: Record<string, number> = {
  json_error: 400,
  unauthorized: 401,
  token_readonly: 401,
  forbidden: 403,
  maintenance: 403,
  resource_limit_exceeded: 403,
  not_found: 404,
  method_not_allowed: 405,
  uniqueness_error: 409,
  conflict: 409,
  resource_unavailable: 412,
  primary_ip_version_mismatch: 412,
  source_port_already_used: 412,
  locked: 423,
  protected: 423,
  rate_limit_exceeded: 429,
  server_error: 500,
  bad_gateway: 502,
  unavailable: 503,
  timeout: 504,
};

export const statusOf = (error: CloudError): number => statuses[error.code] ?? 422;

/** `invalid_input` for one field. */
export function invalid(field: string, message: string): CloudError {
  return new CloudError("invalid_input", `invalid input in field '${field}': ${message}`, {
    fields: [{ name: field, messages: [message] }],
  });
}

export function notFound(what: string, id: number | string): CloudError {
  return new CloudError("not_found", `${what} with ID '${id}' not found`);
}

export function notUnique(field: string, message: string): CloudError {
  return new CloudError("uniqueness_error", message, { fields: [{ name: field }] });
}

export const locked = (): CloudError => new CloudError("locked", "the resource is locked: an action is running on it");

export const protectedError = (what: string): CloudError => new CloudError("protected", `${what} is protected`);

/** What anything thrown is in the API's terms: an error that is none of the API's becomes a `server_error`. */
export function asCloudError(thrown: unknown): CloudError {
  if (thrown instanceof CloudError) return thrown;
  return new CloudError("server_error", thrown instanceof Error ? thrown.message : String(thrown));
}
