import { hostnameProblem, tidyHostname } from "../logic/fields";
import { Field } from "../ui/field";
import { Heading } from "../ui/page";
import type { StepProps } from "./wizard";

/** Step 2: the name under which the home network finds the box. */
export function NameStep({ wizard, edit }: StepProps) {
  const name = wizard.draft.hostname;
  const problem = hostnameProblem(name);
  return (
    <>
      <Heading>Name your box</Heading>
      <p class="lead">The name becomes its address at home. Keep “hearth” if this is your only one.</p>
      <Field
        label="Name of the box"
        value={name}
        onValue={(raw) => edit("hostname", tidyHostname(raw))}
        error={wizard.errors.hostname}
        suffix=".local"
        hint="Letters a–z, digits and dashes."
        input={{ autocomplete: "off", autocapitalize: "none", spellcheck: false }}
      />
      <div class="aside" aria-live="polite">
        <h2>Its address will be</h2>
        {problem === undefined ? (
          <p class="address">https://{name}.local</p>
        ) : (
          <p class="address address-open">{wizard.errors.hostname === undefined ? problem : "…"}</p>
        )}
      </div>
    </>
  );
}
