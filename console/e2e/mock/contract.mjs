// The request rules of docs/spec/api.md, shared by every endpoint of the mock: strict, so that a console which works
// here has not leaned on anything the box refuses.

export const MAX_BODY = 64 * 1024;

/** An answer other than success. `extra` goes into the error object, `headers` onto the response. */
export class Refusal extends Error {
  constructor(status, code, message, { field, extra = {}, headers = {} } = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
    this.body = { error: { code, message, ...(field ? { field } : {}), ...extra } };
  }
}

/** Reads the JSON body and holds it to `shape`: names to types, nothing missing and nothing more. */
export async function readBody(request, shape) {
  const body = await readJson(request);
  check(body, shape, "");
  return body;
}

/** Reads the JSON body. */
export async function readJson(request, most = MAX_BODY) {
  const type = (request.headers["content-type"] ?? "").split(";")[0].trim();
  if (type !== "application/json") {
    throw new Refusal(415, "wrong_content_type", "Send the body as application/json.");
  }
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > most) throw new Refusal(413, "too_large", `The body may have at most ${most / 1024} KiB.`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new Refusal(400, "invalid_json", "The body is not JSON.");
  }
}

function check(value, shape, path) {
  if (typeof shape === "string") {
    if (typeof value !== shape.replace("?", "")) throw invalid(path, `must be a ${shape}`);
    return;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(path, "must be an object");
  for (const name of Object.keys(value)) {
    if (!(name in shape)) throw invalid(join(path, name), "is not a member this request has");
  }
  for (const [name, inner] of Object.entries(shape)) {
    // A question mark behind the type: it may be left out.
    if (!(name in value) && String(inner).endsWith("?")) continue;
    if (!(name in value)) throw invalid(join(path, name), "is missing");
    check(value[name], inner, join(path, name));
  }
}

function join(path, name) {
  return path === "" ? name : `${path}.${name}`;
}

export function invalid(field, what) {
  return new Refusal(422, "invalid_field", `${field || "The body"} ${what}.`, field ? { field } : {});
}

/** Host name, owner and password, as the box checks them again whatever the console has checked. */
export function checkSetup({ hostname, owner }) {
  if (!/^(?!-)[a-z0-9-]{1,63}(?<!-)$/.test(hostname)) {
    throw invalid("hostname", "must have 1 to 63 of the characters a-z, 0-9 and -, with no - at an end");
  }
  const name = [...owner.name].length;
  if (name < 1 || name > 64 || /\p{Cc}/u.test(owner.name)) {
    throw invalid("owner.name", "must have 1 to 64 characters and no control characters");
  }
  checkPassword("owner.password", owner.password);
}

export function checkPassword(field, password) {
  const length = [...password].length;
  if (length < 10 || length > 256) throw invalid(field, "must have 10 to 256 characters");
}

/** Crockford base 32 as it is compared: without case, spaces and dashes. */
export function plainCode(text) {
  return text.toUpperCase().replace(/[\s-]/g, "");
}
