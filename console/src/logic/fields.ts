/** Rules for the box's name and for the owner's account: the same limits as docs/spec/api.md. */

export const PASSWORD_MIN = 10;
const PASSWORD_MAX = 256;
const NAME_MAX = 64;
const HOSTNAME_MAX = 63;

/** What people type, brought to the form the box accepts where the meaning is clear. */
export function tidyHostname(raw: string): string {
  return raw.toLowerCase().replace(/[\s_]+/g, "-");
}

/** One DNS label (RFC 1123 section 2.1). */
export function hostnameProblem(name: string): string | undefined {
  if (name === "") return "Give the box a name.";
  const foreign = /[^a-z0-9-]/u.exec(name);
  if (foreign) return `“${foreign[0]}” cannot be part of the name: use only the letters a–z, digits and dashes.`;
  if (name.startsWith("-") || name.endsWith("-")) return "The name cannot start or end with a dash.";
  if (name.length > HOSTNAME_MAX) return `The name can have at most ${HOSTNAME_MAX} characters; this has ${name.length}.`;
  return undefined;
}

export function ownerNameProblem(name: string): string | undefined {
  if (name.trim() === "") return "Tell the box your name; it is what you log in with.";
  if (/\p{Cc}/u.test(name)) return "The name contains a character that cannot be typed. Please type it by hand.";
  const length = countCharacters(name);
  if (length > NAME_MAX) return `The name can have at most ${NAME_MAX} characters; this has ${length}.`;
  return undefined;
}

export function passwordProblem(password: string): string | undefined {
  const length = countCharacters(password);
  if (length === 0) return "Choose a password.";
  if (length < PASSWORD_MIN) return `The password needs at least ${PASSWORD_MIN} characters; ${PASSWORD_MIN - length} more to go.`;
  if (length > PASSWORD_MAX) return `The password can have at most ${PASSWORD_MAX} characters; this has ${length}.`;
  return undefined;
}

export function confirmProblem(password: string, confirm: string): string | undefined {
  if (confirm === "") return "Type the password once more, so that a slip does not lock you out.";
  return password === confirm ? undefined : "The two passwords differ. Show them to compare.";
}

/** The hint under the password while it is being typed. */
export function passwordHint(password: string): string {
  const length = countCharacters(password);
  if (length === 0) return `At least ${PASSWORD_MIN} characters. Four or five unrelated words make a good one.`;
  if (length < PASSWORD_MIN) return `${length} of at least ${PASSWORD_MIN} characters.`;
  return `${length} characters: long enough.`;
}

/** Unicode scalar values, which is what the box counts; `length` would count an emoji twice. */
function countCharacters(text: string): number {
  return [...text].length;
}
