import { reasonSentence } from "../logic/words";
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
          <li key={reason}>{reasonSentence(reason)}</li>
        ))}
      </ul>
    </Notice>
  );
}
