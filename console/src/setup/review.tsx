import type { Step } from "../logic/wizard";
import { Heading } from "../ui/page";
import { Notice, Progress } from "../ui/status";
import type { StepProps } from "./wizard";

/** Step 4: everything at a glance, then the one request that sets the box up. */
export function ReviewStep({ wizard, go }: StepProps & { go: (step: Step) => void }) {
  const { draft, notice, phase } = wizard;
  return (
    <>
      <Heading>All set?</Heading>
      <p class="lead">Have a last look. One press, and the box is yours.</p>
      {notice ? (
        <Notice kind="bad" urgent>
          <p>{notice}</p>
        </Notice>
      ) : null}
      <dl class="review">
        <Row name="Claim code" value={draft.claimCode} step="claim" locked={phase === "sending"} go={go} />
        <Row name="Address" value={`https://${draft.hostname}.local`} step="name" locked={phase === "sending"} go={go} />
        <Row name="Owner" value={draft.ownerName.trim()} step="account" locked={phase === "sending"} go={go} />
      </dl>
      {phase === "sending" ? (
        <Progress reason={`Creating your account and the certificate for ${draft.hostname}.local. This takes a moment, because the password is protected with a deliberately slow calculation.`} />
      ) : null}
    </>
  );
}

interface RowProps {
  name: string;
  value: string;
  step: Step;
  locked: boolean;
  go: (step: Step) => void;
}

function Row({ name, value, step, locked, go }: RowProps) {
  return (
    <div class="review-row">
      <dt>{name}</dt>
      <dd>
        <span class="review-value">{value}</span>
        <button type="button" class="link" disabled={locked} onClick={() => go(step)}>
          Change<span class="unseen"> {name.toLowerCase()}</span>
        </button>
      </dd>
    </div>
  );
}
