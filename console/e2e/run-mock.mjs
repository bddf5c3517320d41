// `npm run e2e`: the walk of wizard.mjs and the situations of states.mjs, against the built console and the mock.
// `npm run mock` (--serve): the mock alone, to look at with a browser or to develop against.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Box } from "./mock/box.mjs";
import { makeCertificates, serve } from "./mock/server.mjs";
import { runStates } from "./states.mjs";
import { walk } from "./wizard.mjs";

const SERVE_PORT = 8443;
const certificates = makeCertificates();
const shots = process.env.SHOTS || resolve(import.meta.dirname, "../../target/console-shots");
const executable = process.env.CHROMIUM || "/usr/bin/chromium";

if (process.argv.includes("--serve")) {
  const box = new Box(certificates.ca);
  await serve(box, certificates, SERVE_PORT);
  process.stdout.write(`mock: https://127.0.0.1:${SERVE_PORT} claim code ${box.claimCode}\n`);
} else {
  await run();
}

async function run() {
  const folder = mkdtempSync(join(tmpdir(), "hearth-e2e-"));
  const caFile = join(folder, "ca.crt");
  writeFileSync(caFile, certificates.ca);
  try {
    const only = process.env.ONLY ? new RegExp(process.env.ONLY) : undefined;
    if (!only) {
      // Once with the name kept and once with a new one: the pages at the end differ.
      await walkOnce({ caFile, shots: join(shots, "mock-same-name") });
      await walkOnce({ caFile, shots: join(shots, "mock-new-name"), newName: "cottage" });
    }
    await runStates({ certificates, executable, shots: join(shots, "mock-states"), ...(only ? { only } : {}) });
    process.stdout.write(`e2e: everything held; pictures in ${shots}\n`);
  } catch (error) {
    process.stderr.write(`e2e: FAILED ${error.message}\n`);
    process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function walkOnce(settings) {
  const box = new Box(certificates.ca);
  const { port, close } = await serve(box, certificates);
  try {
    const hostMap = `MAP hearth.local:443 127.0.0.1:${port}, MAP cottage.local:443 127.0.0.1:${port}`;
    await walk({ baseUrl: "https://hearth.local", claimCode: box.claimCode, hostMap, executable, patience: 1, ...settings });
  } finally {
    await close();
  }
}
