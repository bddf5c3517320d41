import { expect, it } from "vitest";
import { derOf, fingerprint, fingerprintGroups } from "./fingerprint";

const PEM = "intro\n-----BEGIN CERTIFICATE-----\naGVh\ncnRo\n-----END CERTIFICATE-----\n";

it("hashes the bytes inside the armour", async () => {
  expect(new TextDecoder().decode(derOf(PEM))).toBe("hearth");
  // printf hearth | sha256sum
  expect(await fingerprint(PEM)).toBe(
    "FE:58:63:23:E9:79:3A:BC:1C:20:7B:55:B4:0F:0D:D3:01:C9:A0:06:76:1D:8F:7D:5E:E5:FE:EE:B8:08:2D:86",
  );
});

it("refuses what is no certificate", () => {
  expect(() => derOf("<html>")).toThrow(/PEM/);
});

it("is shown in groups of eight", () => {
  expect(fingerprintGroups("A:B:C:D:E:F:G:H:I")).toEqual(["A:B:C:D:E:F:G:H", "I"]);
});
