import { describe, expect, it } from "vitest";
import { kitInFile, kitProblem, kitSheet } from "./kit";

const CODE = 'hearth-kit:1:0123456789abcdef:{"household":"5f1c"}';
const TEXT = `HEARTH RECOVERY KIT (version 1)

Household  5f1c9a02b7d4e688
Box        hearth
Made       2026-11-21
Backup     ours at https://s3.example.net
Its access not in this kit

Keep this page where you keep your papers.

To type:

1: 06Q4Y-7ZK2M-XVD9F-TH3WP-4J
2: Z80RC-N5JEB-6YAT4-GK1VS-XA

To paste:

${CODE}
`;
const HTML = `<html><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 29 29" shape-rendering="crispEdges"><rect width="100%" height="100%" fill="#fff"/>
<path d="M4 4h1v1h-1zM5 4h1v1h-1z"/></svg><pre>1: 06Q4Y-7ZK2M-XVD9F-TH3WP-4J
2: Z80RC-N5JEB-6YAT4-GK1VS-XA</pre></html>`;

describe("the sheet", () => {
  it("has the facts, the lines and the picture", () => {
    const sheet = kitSheet({ text: TEXT, html: HTML, code: CODE });
    expect(sheet.facts.map(([name]) => name)).toEqual(["Household", "Box", "Made", "Backup", "Its access"]);
    expect(sheet.facts[4]?.[1]).toBe("not in this kit");
    expect(sheet.lines).toEqual(["1: 06Q4Y-7ZK2M-XVD9F-TH3WP-4J", "2: Z80RC-N5JEB-6YAT4-GK1VS-XA"]);
    expect(sheet.picture).toEqual({ side: 29, path: "M4 4h1v1h-1zM5 4h1v1h-1z" });
  });

  it("goes without a picture that it does not know", () => {
    expect(kitSheet({ text: TEXT, html: HTML.replace('d="M4', 'd="L4'), code: CODE }).picture).toBeUndefined();
    expect(kitSheet({ text: TEXT, html: "<html></html>", code: CODE }).picture).toBeUndefined();
  });
});

describe("on its way back", () => {
  it.each([
    ["", /Type the numbered lines/],
    ["what is this", /no recovery kit/],
    ["1: 06Q4Y-7ZK2M", undefined],
    ["  1. 06q4y 7zk2m\n2. ...", undefined],
    [CODE, undefined],
    [TEXT, undefined],
  ])("%j", (typed, words) => {
    if (words === undefined) expect(kitProblem(typed)).toBeUndefined();
    else expect(kitProblem(typed)).toMatch(words);
  });

  it("is found in both kinds of files", () => {
    expect(kitInFile(TEXT)).toBe(TEXT.trim());
    expect(kitInFile(HTML)).toMatch(/^1: 06Q4Y[^]*GK1VS-XA$/);
  });
});
