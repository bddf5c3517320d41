// What the browser is told to overlook is checked here: the chain to the household CA, the name, the TLS version.

import { connect } from "node:tls";

/** Connects as the browser would (following the host map) and throws unless the certificate is right for the name. */
export async function checkCertificate(url, ca, hostMap) {
  const { hostname, port } = new URL(url);
  const target = mapped(hostname, Number(port || 443), hostMap);
  await new Promise((resolve, reject) => {
    const socket = connect({ ...target, servername: hostname, ca, minVersion: "TLSv1.3" }, () => {
      socket.destroy();
      resolve();
    });
    socket.setTimeout(20_000, () => socket.destroy(new Error("no TLS answer within 20 s")));
    socket.once("error", (error) => reject(new Error(`certificate of ${url}: ${error.message}`)));
  });
}

/** Applies rules of the form `MAP host[:port] address:port, …`. */
export function mapped(host, port, hostMap = "") {
  for (const rule of hostMap.split(",")) {
    const [, pattern, patternPort, address, to] = /^\s*MAP\s+([^\s:]+)(?::(\d+))?\s+([^\s:]+)(?::(\d+))?\s*$/i.exec(rule) ?? [];
    if (pattern === undefined || (patternPort !== undefined && Number(patternPort) !== port)) continue;
    const matches = pattern === host || (pattern.startsWith("*") && host.endsWith(pattern.slice(1)));
    if (matches) return { host: address, port: Number(to ?? port) };
  }
  return { host, port };
}
