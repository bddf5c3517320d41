import type { ComponentChildren, Ref } from "preact";
import type { Part, Recovery } from "../logic/recovery";
import { PasswordField } from "./field";
import { CardPage, Heading } from "./page";
import { Progress } from "./status";

interface Props {
  makes: Part;
  title: string;
  recovery: Recovery;
  password: string;
  setPassword: (password: string) => void;
  trouble: ComponentChildren;
  putOff: ComponentChildren;
  form: Ref<HTMLFormElement>;
  /** Whether the password was known when the flow began, so that there is nothing to type while all goes well. */
  alone: boolean;
  onMake: () => void;
}

const REASONS: Record<Part, string> = {
  key: "Your data is encrypted, and this box opens it by itself. If the box breaks, only the recovery key opens the disk: a long word for a sheet of paper.",
  code: "Your private files open with your password. If you forget it, only the recovery code opens them: a long word for a sheet of paper, which also lets you choose a new password.",
};

/** Who asks for a key types the password once more. */
export function PasswordStep({ makes, title, recovery, password, setPassword, trouble, putOff, form, alone, onMake }: Props) {
  const making = recovery.phase === "making";
  return (
    <CardPage title={title}>
      <Heading turn="password">A {title.toLowerCase()}</Heading>
      <p class="lead">{REASONS[makes]}</p>
      {trouble}
      <form
        ref={form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!making && password !== "") onMake();
        }}
      >
        {alone && making ? null : (
          <PasswordField
            label="Your password"
            autocomplete="current-password"
            value={password}
            onValue={setPassword}
            hint="So that nobody else makes one while you are away from your screen."
          />
        )}
        {making ? (
          <Progress reason={`Making a new ${makes}. This takes a moment, because keys are protected with a deliberately slow calculation.`} />
        ) : null}
        <div class="actions">
          {putOff}
          <button type="submit" class="button" aria-disabled={making || password === ""}>
            Make the {makes}
          </button>
        </div>
      </form>
    </CardPage>
  );
}
