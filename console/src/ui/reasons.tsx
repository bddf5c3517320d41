import { Notice } from "./status";

/** Why the box is not as it should be, in its own words. */
export function Reasons({ title, reasons }: { title: string; reasons: string[] }) {
  if (reasons.length === 0) return null;
  return (
    <Notice kind="warn">
      <p>
        <strong>{title}</strong>
      </p>
      <ul>
        {reasons.map((reason) => (
          <li key={reason}>{sentence(reason)}</li>
        ))}
      </ul>
    </Notice>
  );
}

/** Reasons come as clauses ("netd: exited with code 1"). */
function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
