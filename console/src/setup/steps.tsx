import { STEPS, type Step } from "../logic/wizard";

const NAMES: Record<Step, string> = { claim: "Claim", name: "Name", account: "You", review: "Finish" };

/** Where in the wizard one is. */
export function StepList({ current }: { current: Step }) {
  const at = STEPS.indexOf(current);
  return (
    <ol class="steps" aria-label="Steps of the set-up">
      {STEPS.map((step, index) => (
        <li
          key={step}
          class={index < at ? "step step-done" : index === at ? "step step-now" : "step"}
          {...(index === at ? { "aria-current": "step" as const } : {})}
        >
          <span class="step-number" aria-hidden="true">
            {index < at ? "✓" : index + 1}
          </span>
          {NAMES[step]}
          {index < at ? <span class="unseen"> (done)</span> : null}
        </li>
      ))}
    </ol>
  );
}
