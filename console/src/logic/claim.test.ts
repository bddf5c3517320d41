import { describe, expect, it } from "vitest";
import { claimCodeIn, claimCodeProblem, formatClaimCode } from "./claim";

describe("formatClaimCode", () => {
  it.each([
    ["", ""],
    ["k7qm", "K7QM"],
    ["k7qm2", "K7QM-2"],
    ["k7qm 2xvd 9fth", "K7QM-2XVD-9FTH"],
    ["K7QM–2XVD—9FTH", "K7QM-2XVD-9FTH"],
    ["oOiI lL00 1111", "0011-1100-1111"],
    ["K7QM2XVD9FTHEXTRA", "K7QM-2XVD-9FTH"],
    ["k7!m", "K7!M"],
  ])("%j is shown as %j", (typed, shown) => {
    expect(formatClaimCode(typed).text).toBe(shown);
  });

  it("keeps the cursor behind the same character", () => {
    // "9" typed in front of the second character of the second group.
    expect(formatClaimCode("K7QM-29XVD-9FT", 7)).toEqual({ text: "K7QM-29XV-D9FT", caret: 7 });
    expect(formatClaimCode("k7qm2", 5)).toEqual({ text: "K7QM-2", caret: 6 });
    expect(formatClaimCode("K7QM-", 5)).toEqual({ text: "K7QM", caret: 4 });
    expect(formatClaimCode("", 0)).toEqual({ text: "", caret: 0 });
  });

  it("changes nothing when applied twice", () => {
    const once = formatClaimCode(" o7qm2xvd-9").text;
    expect(formatClaimCode(once).text).toBe(once);
  });
});

describe("claimCodeProblem", () => {
  it("accepts a whole code in any writing", () => {
    expect(claimCodeProblem("K7QM-2XVD-9FTH")).toBeUndefined();
    expect(claimCodeProblem("k7qm 2xvd 9fth")).toBeUndefined();
  });

  it.each([
    ["", /Type the claim code/],
    ["K7QM-2XV", /5 more to go/],
    ["K7QM-2XVD-9FTU", /letter U/],
    ["K7QM-2XVD-9F!H", /“!”/],
  ])("says what is wrong with %j", (code, why) => {
    expect(claimCodeProblem(code)).toMatch(why);
  });
});

describe("claimCodeIn", () => {
  it.each([
    ["#claim=01AB-2CDE-3FGH", "01AB-2CDE-3FGH"],
    ["#claim=01ab2cde3fgh", "01AB-2CDE-3FGH"],
    ["", ""],
    ["#claim=", ""],
    ["#claim=01AB-2CDE", ""],
    ["#claim=01AB-2CDE-3FGH&x=1", ""],
    ["#claim=<b>-2CDE-3FGH", ""],
    ["#other=01AB-2CDE-3FGH", ""],
  ])("%j has %j", (hash, code) => {
    expect(claimCodeIn(hash)).toBe(code);
  });
});
