/** SHA-256 fingerprint of a PEM certificate, written as browsers write it. */

export async function fingerprint(pem: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", derOf(pem));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join(":");
}

/** The first certificate in the text (RFC 7468 section 5). */
export function derOf(pem: string): Uint8Array<ArrayBuffer> {
  const body = /-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/.exec(pem)?.[1];
  if (body === undefined) throw new Error("this is not a PEM certificate");
  return Uint8Array.from(atob(body.replace(/\s+/g, "")), (character) => character.charCodeAt(0));
}

/** Eight pairs each: short enough for a phone, and easier to compare than lines that break anywhere. */
export function fingerprintGroups(text: string): string[] {
  const pairs = text.split(":");
  return Array.from({ length: Math.ceil(pairs.length / 8) }, (_, index) => pairs.slice(index * 8, index * 8 + 8).join(":"));
}
