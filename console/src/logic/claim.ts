/**
 * The claim code as people type it: Crockford base 32, twelve characters in three groups.
 *
 * Crockford's alphabet leaves out I, L, O and U so that nothing can be misread; typing I or L means 1, O means 0.
 */

const LENGTH = 12;

export interface Typed {
  text: string;
  /** Where the text cursor belongs after reformatting. */
  caret: number;
}

/** Groups what was typed and keeps the cursor behind the same character. */
export function formatClaimCode(raw: string, caret = raw.length): Typed {
  const before = significant(raw.slice(0, caret)).slice(0, LENGTH).length;
  const code = significant(raw).slice(0, LENGTH);
  const text = code.match(/.{1,4}/g)?.join("-") ?? "";
  return { text, caret: before + dashesBefore(before) };
}

/**
 * The code behind the address's `#`, where the QR code of `hearthctl flash` has it; browsers keep that part to themselves.
 * Empty unless a whole code is there.
 */
export function claimCodeIn(hash: string): string {
  const typed = /^#claim=([0-9A-Za-z-]{1,20})$/.exec(hash)?.[1] ?? "";
  return claimCodeProblem(typed) === undefined ? formatClaimCode(typed).text : "";
}

/** What is wrong with the code as typed, or nothing. */
export function claimCodeProblem(text: string): string | undefined {
  const code = significant(text);
  if (code === "") return "Type the claim code that the box shows.";
  if (code.includes("U")) return "A claim code never contains the letter U. Is it perhaps a V?";
  const foreign = /[^0-9A-Z]/.exec(code);
  if (foreign) return `A claim code has only letters and digits, so “${foreign[0]}” cannot be right.`;
  if (code.length < LENGTH) return `The code has ${LENGTH} characters; ${LENGTH - code.length} more to go.`;
  return undefined;
}

/** The box makes a new code after the fifth wrong one, so a full count means the same as none left. */
export function isRenewed(triesLeft: number | undefined): boolean {
  return triesLeft !== undefined && (triesLeft <= 0 || triesLeft >= 5);
}

/** What to tell of a code that was not the right one. */
export function wrongCode(triesLeft: number | undefined): string {
  if (triesLeft === undefined) return "That is not the claim code. Compare it with what the box shows.";
  if (isRenewed(triesLeft)) {
    return "That was the fifth wrong code, so the box has made a new one. Look at its screen again and type the new code.";
  }
  const tries = triesLeft === 1 ? "1 try" : `${triesLeft} tries`;
  return `That is not the claim code. Compare it with what the box shows: ${tries} left, then the box makes a new code.`;
}

function significant(text: string): string {
  return text
    .toUpperCase()
    .replace(/[\s\-\u2010-\u2015_.]/g, "")
    .replace(/[IL]/g, "1")
    .replace(/O/g, "0");
}

/** A dash is put in only once the next group has begun, so that deleting backwards never sticks at one. */
function dashesBefore(characters: number): number {
  return characters === 0 ? 0 : Math.floor((characters - 1) / 4);
}
