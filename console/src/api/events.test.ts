import { expect, it } from "vitest";
import { readAppEvent } from "./events";

it("what the box tells is read by its kind", () => {
  expect(readAppEvent("app", '{"key":"a"}')).toEqual({ kind: "app", app: { key: "a" } });
  expect(readAppEvent("gone", '{"key":"a","problem":null}')).toEqual({ kind: "gone", ending: { key: "a", problem: null } });
  expect(readAppEvent("service", '{"problem":"away"}')).toEqual({ kind: "service", problem: "away" });
});

it("what cannot be read is passed over", () => {
  for (const text of ["", "null", "7", "{"]) expect(readAppEvent("app", text)).toBeUndefined();
});
