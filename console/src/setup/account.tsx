import { passwordHint } from "../logic/fields";
import { Field, PasswordField } from "../ui/field";
import { Heading } from "../ui/page";
import type { StepProps } from "./wizard";

/** Step 3: the first account, which may do everything. */
export function AccountStep({ wizard, edit }: StepProps) {
  const { draft, errors } = wizard;
  return (
    <>
      <Heading>Your account</Heading>
      <p class="lead">You are the owner: this account looks after the box. The password is kept on the box only, and never in plain.</p>
      <Field
        label="Your name"
        value={draft.ownerName}
        onValue={(value) => edit("ownerName", value)}
        error={errors.ownerName}
        hint="You will log in with it."
        input={{ autocomplete: "username", spellcheck: false }}
      />
      <PasswordField
        label="Password"
        autocomplete="new-password"
        value={draft.password}
        onValue={(value) => edit("password", value)}
        error={errors.password}
        hint={passwordHint(draft.password)}
      />
      <PasswordField
        label="Password once more"
        autocomplete="new-password"
        value={draft.confirm}
        onValue={(value) => edit("confirm", value)}
        error={errors.confirm}
      />
    </>
  );
}
