/** What is to be installed: what is typed, what is wrong with it, what is sent, and what is told of refusals. Pure; the box checks again. */

import { ApiError } from "../api/client";
import type { AppScope, AppSource, Remark } from "../api/apps";
import type { Problems, Trouble } from "./account";
import { appTrouble, sentence } from "./apps";

export type Kind = "manifest" | "compose" | "image";

export interface Draft {
  kind: Kind;
  /** Texts of files, each kept while another kind is looked at. */
  manifest: string;
  compose: string;
  image: string;
  title: string;
  version: string;
  /** For whom it is, where what it is made of does not say. */
  scope: AppScope;
  /** A line each, `NAME=value`. */
  variables: string;
}

export const EMPTY: Draft = { kind: "manifest", manifest: "", compose: "", image: "", title: "", version: "", scope: "user", variables: "" };

/** As the box bounds them (docs/spec/apps.md), in bytes. */
const MAX_MANIFEST = 64 * 1024;
const MAX_COMPOSE = 128 * 1024;
const MAX_TITLE = 120;
const MAX_IMAGE = 255;

export type Member = "text" | "image" | "title" | "version" | "variables";

/** What is wrong before the box is asked. */
export function draftProblems(draft: Draft): Problems<Member> {
  const problems: Problems<Member> = {};
  switch (draft.kind) {
    case "manifest":
      return textProblem(draft.manifest, MAX_MANIFEST);
    case "image":
      if (draft.image.trim() === "") problems.image = "Type the name of an image, such as ghcr.io/example/notes:1.4.";
      else if (/\s/.test(draft.image.trim())) problems.image = "The name of an image has no spaces.";
      else if (draft.image.trim().length > MAX_IMAGE) problems.image = `The name can have at most ${MAX_IMAGE} characters.`;
      return problems;
    case "compose": {
      Object.assign(problems, textProblem(draft.compose, MAX_COMPOSE));
      if ([...draft.title.trim()].length > MAX_TITLE) problems.title = `The name can have at most ${MAX_TITLE} characters.`;
      const version = draft.version.trim();
      if (version !== "" && !/^\d+\.\d+\.\d+([-+].*)?$/.test(version))
        problems.version = "A version has three numbers with dots between them, such as 1.4.0.";
      const { problem } = readVariables(draft.variables);
      if (problem) problems.variables = problem;
      return problems;
    }
  }
}

function textProblem(text: string, most: number): Problems<Member> {
  if (text.trim() === "") return { text: "Choose the file, or paste its text here." };
  const bytes = new TextEncoder().encode(text).length;
  return bytes > most ? { text: `The file can have at most ${most / 1024} KiB; this has ${Math.ceil(bytes / 1024)}.` } : {};
}

/** Lines of `NAME=value`; empty ones and those that begin with # say nothing. */
export function readVariables(text: string): { values: Record<string, string>; problem?: string } {
  const values: Record<string, string> = {};
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      return { values, problem: `Line ${index + 1} is not NAME=value, such as DB_PASSWORD=something.` };
    }
    values[name] = value;
  }
  return { values };
}

export function sourceOf(draft: Draft): AppSource {
  switch (draft.kind) {
    case "manifest":
      return { manifest: draft.manifest };
    case "image":
      return { image: draft.image.trim() };
    case "compose": {
      const [title, version] = [draft.title.trim(), draft.version.trim()];
      const { values: variables } = readVariables(draft.variables);
      return { compose: { text: draft.compose, ...(title ? { title } : {}), ...(version ? { version } : {}), variables } };
    }
  }
}

/** For whom it is; a hearth.json says that itself. */
export function scopeOf({ kind, scope }: Draft): AppScope | undefined {
  return kind === "manifest" ? undefined : scope;
}

/** Which kind a file is of, by its name, and by how it begins where the name does not tell. */
export function kindOfFile(name: string, text: string): "manifest" | "compose" {
  if (/\.json$/i.test(name)) return "manifest";
  if (/\.ya?ml$/i.test(name)) return "compose";
  return text.trimStart().startsWith("{") ? "manifest" : "compose";
}

/** Variables that the box found without a value. */
function missingVariables(remarks: Remark[], typed: string): string[] {
  const { values } = readVariables(typed);
  const names = remarks.map(variableIn);
  return [...new Set(names.filter((name): name is string => name !== undefined && !(name in values)))];
}

function variableIn({ words }: Remark): string | undefined {
  return /^the variable ([A-Za-z_][A-Za-z0-9_]*) has no value/.exec(words)?.[1];
}

/** The settings with lines to fill in. */
export function withLines(typed: string, names: string[]): string {
  const lines = names.map((name) => `${name}=`);
  return [...(typed.trim() === "" ? [] : [typed.trimEnd()]), ...lines].join("\n");
}

/** A remark in two parts: where it is about, and what it says. */
export function remarkWords({ place, line, words }: Remark): { where: string; words: string } {
  const at = line == null ? "" : `Line ${line}`;
  // A JSON pointer: only people who write programs read those.
  const named = place.startsWith("/")
    ? place
        .slice(1)
        .split("/")
        .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
        .join(" › ")
    : place;
  return { where: [at, named].filter((part) => part !== "").join(", "), words: sentence(words) };
}

/** Why something could not be looked at. */
export interface LookTrouble extends Trouble<Member> {
  /** What stands against it, to be listed. */
  refusals: Remark[];
  /** Settings that it needs and nobody gave; then the trouble is at that field. */
  missing: string[];
}

export function lookTrouble(error: unknown, typed: string): LookTrouble {
  const all = error instanceof ApiError ? error.refusals : [];
  const missing = missingVariables(all, typed);
  const refusals = all.filter((remark) => variableIn(remark) === undefined);
  if (missing.length > 0) {
    const message = `The file leaves ${missing.join(", ")} open. Type what it is to be behind each “=”.`;
    return { field: "variables", message, refusals, missing };
  }
  if (all.length > 0) return { message: "The box cannot take this as it is. Nothing was installed.", refusals: all, missing };
  return { message: appTrouble(error), refusals, missing };
}

/** Short names, which are also part of addresses. */
export function idProblem(id: string): string | undefined {
  if (id === "") return "Type a short name.";
  const foreign = /[^a-z0-9-]/u.exec(id);
  if (foreign) return `“${foreign[0]}” cannot be part of it: use only the letters a–z, digits and dashes.`;
  if (!/^[a-z]/.test(id)) return "It begins with a letter.";
  if (id.endsWith("-")) return "It cannot end with a dash.";
  return id.length > 63 ? `It can have at most 63 characters; this has ${id.length}.` : undefined;
}

/** What to tell when a short name was refused. */
export function idTrouble(error: unknown): Trouble<"id"> {
  if (error instanceof ApiError && error.code === "id_taken")
    return { field: "id", message: "Another app on this box has that name. Choose another one." };
  if (error instanceof ApiError && error.field === "id") return { field: "id", message: error.message };
  return { message: appTrouble(error) };
}
