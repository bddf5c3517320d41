// Serves a Box and the built console over HTTPS, with the headers hostd sends.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { extname, join, resolve, sep } from "node:path";
import { Refusal } from "./contract.mjs";

const DIST = resolve(import.meta.dirname, "../../dist");
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8" };
const HEADERS = {
  "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
};

/** A household CA and a leaf for `hearth.local` and `*.local`, made anew for every run. */
export function makeCertificates() {
  const folder = mkdtempSync(join(tmpdir(), "hearth-mock-"));
  const openssl = (...args) => execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  try {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"];
    openssl("req", "-x509", ...key, "-subj", "/CN=Hearth household (mock)", "-keyout", "ca.key", "-out", "ca.crt",
      "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign");
    openssl("req", "-x509", ...key, "-subj", "/CN=hearth.local", "-keyout", "leaf.key", "-out", "leaf.crt", "-CA", "ca.crt", "-CAkey", "ca.key",
      "-addext", "subjectAltName=DNS:hearth.local,DNS:cottage.local,DNS:localhost,IP:127.0.0.1",
      "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth");
    const read = (name) => readFileSync(join(folder, name), "utf8");
    return { ca: read("ca.crt"), cert: read("leaf.crt"), key: read("leaf.key") };
  } catch (error) {
    throw new Error(`making the mock's certificates failed (needs openssl 3): ${error.stderr ?? error.message}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Starts serving; resolves to `{port, close}`. Port 0 takes a free one. */
export async function serve(box, { cert, key }, port = 0) {
  if (!existsSync(join(DIST, "index.html"))) throw new Error("console/dist is missing: run `npm run build` first");
  const server = createServer({ cert, key, minVersion: "TLSv1.3" }, (request, response) => {
    if (box.unreachable) return request.socket.destroy();
    handle(box, request, response).catch((error) => {
      // A fault of the mock itself; the page must not take it for an answer of the box.
      process.stderr.write(`mock: ${request.method} ${request.url}: ${error.stack}\n`);
      response.destroy();
    });
  });
  await new Promise((done, fail) => server.once("error", fail).listen(port, "127.0.0.1", done));
  return {
    port: server.address().port,
    close: () => new Promise((done) => (server.close(done), server.closeAllConnections())),
  };
}

async function handle(box, request, response) {
  const url = new URL(request.url, "https://box.invalid");
  if (!url.pathname.startsWith("/api/")) return sendFile(url.pathname, response);
  try {
    const origin = request.headers.origin;
    if (origin !== undefined && new URL(origin).host !== request.headers.host) {
      throw new Refusal(403, "foreign_origin", "This address may not be used from other sites.");
    }
    if (!url.pathname.startsWith("/api/v1/")) throw new Refusal(404, "not_found", "There is nothing at this address.");
    send(response, await box.answer(request, url.pathname.slice("/api/v1".length), url.searchParams));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    send(response, { status: error.status, body: error.body, headers: error.headers });
  }
}

function send(response, { status, body, text, stream, headers = {} }) {
  response.writeHead(status, { ...HEADERS, "Cache-Control": "no-store", ...(body ? { "Content-Type": "application/json" } : {}), ...headers });
  if (stream) return stream(response);
  return response.end(text ?? (body ? JSON.stringify(body) : undefined));
}

function sendFile(path, response) {
  const file = resolve(DIST, `.${path === "/" ? "/index.html" : path}`);
  if (!file.startsWith(DIST + sep) || !existsSync(file)) {
    response.writeHead(404, { ...HEADERS, "Content-Type": "text/plain" });
    return response.end("not found\n");
  }
  response.writeHead(200, { ...HEADERS, "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" });
  return response.end(readFileSync(file));
}
