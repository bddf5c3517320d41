/** The recovery kit as a sheet to print, and on its way back from one. Pure. */

import type { RecoveryKit } from "../api/backups";

export interface KitSheet {
  /** Such as the household and the place of the backup. */
  facts: [string, string][];
  /** Numbered, for typing. */
  lines: string[];
  /** The QR code: modules as the box draws them; nothing where it draws them otherwise than this page knows. */
  picture?: { side: number; path: string };
}

/** "1: 06Q4Y-7ZK2M-…": what hostd's reader takes for a line of a kit. */
const LINE = /^\s*(\d{1,2})\s*[:.)]\s*\S/;
/** What the QR code holds begins so. */
const CODE = "hearth-kit:";

/**
 * The parts of a kit. The box gives whole documents, for any printer; here they become a page like the others. The picture is taken
 * apart rather than put into the page as it came: nothing from outside may become markup here.
 */
export function kitSheet({ text, html }: RecoveryKit): KitSheet {
  const all = text.split("\n");
  const lines = all.filter((line) => LINE.test(line)).map((line) => line.trim());
  const facts = all.flatMap((line): [string, string][] => {
    const [, name, value] = /^(Household|Box|Made|Backup|Its access)\s+(.+)$/.exec(line) ?? [];
    return name && value ? [[name, value]] : [];
  });
  const [, side] = /<svg[^>]* viewBox="0 0 (\d{1,3}) \1"/.exec(html) ?? [];
  const [, path] = /<path d="([Mhvz0-9 -]+)"/.exec(html) ?? [];
  return { facts, lines, ...(side && path ? { picture: { side: Number(side), path } } : {}) };
}

/** What is wrong with a kit as typed or pasted, or nothing; whether it is right only the box knows. */
export function kitProblem(typed: string): string | undefined {
  if (typed.trim() === "") return "Type the numbered lines of the kit, or paste what its code holds.";
  if (typed.includes(CODE)) return undefined;
  if (typed.split("\n").some((line) => LINE.test(line))) return undefined;
  return "That is no recovery kit. Type each line with its number, such as “1: 06Q4Y-…”, or paste what the code holds.";
}

/** The kit in a file that somebody kept: as text, or as the page to print. */
export function kitInFile(content: string): string {
  const [, lines] = /<pre>([\s\S]*?)<\/pre>/.exec(content) ?? [];
  return (lines ?? content).trim();
}
