import { ClaimField } from "../ui/claimfield";
import { Heading } from "../ui/page";
import type { StepProps } from "./wizard";

/** Step 1: whoever knows the code has the box in front of them. */
export function ClaimStep({ wizard, edit }: StepProps) {
  return (
    <>
      <Heading>Welcome home</Heading>
      <p class="lead">This is your own server. A few short steps and it is ready; everything stays in this house.</p>
      <ClaimField value={wizard.draft.claimCode} onValue={(code) => edit("claimCode", code)} error={wizard.errors.claimCode} />
    </>
  );
}

/** Stands below the button: who has the code at hand needs none of it. */
export function ClaimHelp({ onRestore }: { onRestore: () => void }) {
  return (
    <>
      <div class="aside">
        <h2>Where do I find the code?</h2>
        <ul>
          <li>On the screen attached to the box, in the line that begins with “claim code”.</li>
          <li>No screen? Attach one, or read the serial console; a restart shows a new code.</li>
        </ul>
        <p>It makes sure that nobody else on your network can take the box before you do.</p>
      </div>
      <div class="aside">
        <h2>Is it a new box for an old household?</h2>
        <p>With the recovery kit and a backup it becomes what the old one was.</p>
        <button type="button" class="link" onClick={onRestore}>
          This household had a box before
        </button>
      </div>
    </>
  );
}
