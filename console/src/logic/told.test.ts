import { expect, it } from "vitest";
import { Told } from "./told";

it("what was told since a question began is kept, and only that", () => {
  const told = new Told<string>();
  told.add("a");
  const began = told.end;
  told.add("b");
  told.add("c");
  expect(told.since(began)).toEqual(["b", "c"]);
  told.forgetBefore(began);
  expect([told.since(0), told.since(began), told.end]).toEqual([["b", "c"], ["b", "c"], 3]);
  told.forgetBefore(told.end);
  told.add("d");
  expect([told.since(began), told.since(told.end)]).toEqual([["d"], []]);
  told.forgetBefore(0);
  expect(told.since(0)).toEqual(["d"]);
});
