import { useId, useState } from "preact/hooks";
import type { ComponentChildren, Ref } from "preact";

/** What may be set on the input itself; the library's own type has hundreds and ties some of them together. */
interface InputOptions {
  type?: "text" | "password";
  class?: string;
  placeholder?: string;
  autocomplete?: "off" | "username" | "new-password" | "current-password";
  autocapitalize?: "none" | "characters";
  spellcheck?: boolean;
  inputMode?: "text";
}

export interface FieldProps {
  label: string;
  value: string;
  onValue: (value: string, input: HTMLInputElement) => void;
  hint?: ComponentChildren;
  error?: string | undefined;
  /** What stands inside the box behind the text, such as a domain. */
  suffix?: string;
  input?: InputOptions;
  inputRef?: Ref<HTMLInputElement>;
  children?: ComponentChildren;
}

/** One labelled input. Hint and error are tied to it, so that a screen reader reads them with the label. */
export function Field({ label, value, onValue, hint, error, suffix, input, inputRef, children }: FieldProps) {
  const id = useId();
  const hintId = `${id}-hint`;
  const errorId = `${id}-error`;
  // An error says what the hint says, and more.
  const described = error ? errorId : hint ? hintId : "";
  return (
    <div class={error ? "field field-wrong" : "field"}>
      <label for={id}>{label}</label>
      <div class="field-box">
        <input
          // The library ties roles to each single type of input; none of ours sets a role.
          {...(input as Omit<InputOptions, "type"> & { type?: "text" })}
          {...(inputRef ? { ref: inputRef } : {})}
          {...(described ? { "aria-describedby": described } : {})}
          id={id}
          value={value}
          aria-invalid={error ? "true" : "false"}
          onInput={(event) => onValue(event.currentTarget.value, event.currentTarget)}
        />
        {suffix ? <span class="field-suffix">{suffix}</span> : null}
        {children}
      </div>
      {error ? (
        <p class="field-error" id={errorId}>
          {error}
        </p>
      ) : null}
      {hint && !error ? (
        <p class="field-hint" id={hintId}>
          {hint}
        </p>
      ) : null}
    </div>
  );
}

type PasswordProps = Omit<FieldProps, "children" | "suffix" | "input"> & {
  autocomplete: "new-password" | "current-password";
};

/** A password with a button to look at it: on a phone nobody types twelve characters blind. */
export function PasswordField({ autocomplete, ...field }: PasswordProps) {
  const [shown, setShown] = useState(false);
  return (
    <Field {...field} input={{ type: shown ? "text" : "password", autocomplete, spellcheck: false, autocapitalize: "none" }}>
      <button type="button" class="field-button" onClick={() => setShown(!shown)}>
        {shown ? "Hide" : "Show"}
        <span class="unseen"> {field.label.toLowerCase()}</span>
      </button>
    </Field>
  );
}
