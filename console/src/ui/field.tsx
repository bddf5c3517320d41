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
  inputMode?: "text" | "numeric";
}

export type TextElement = HTMLInputElement | HTMLTextAreaElement;

export interface FieldProps {
  label: string;
  value: string;
  onValue: (value: string, input: TextElement) => void;
  hint?: ComponentChildren;
  error?: string | undefined;
  /** What stands inside the box behind the text, such as a domain. */
  suffix?: string;
  input?: InputOptions;
  inputRef?: Ref<HTMLInputElement>;
  /** For texts that are longer than a phone is wide: so many rows, in which nothing scrolls out of sight. */
  rows?: number;
  /** The text has lines, so Enter begins another one. */
  hasLines?: boolean;
  children?: ComponentChildren;
}

/** One labelled input. Hint and error are tied to it, so that a screen reader reads them with the label. */
export function Field({ label, value, onValue, hint, error, suffix, input, inputRef, rows, hasLines = false, children }: FieldProps) {
  const id = useId();
  const hintId = `${id}-hint`;
  const errorId = `${id}-error`;
  // An error says what the hint says, and more.
  const described = error ? errorId : hint ? hintId : "";
  const shared = {
    ...(described ? { "aria-describedby": described } : {}),
    id,
    value,
    "aria-invalid": error ? ("true" as const) : ("false" as const),
    onInput: (event: { currentTarget: TextElement }) => onValue(event.currentTarget.value, event.currentTarget),
  };
  const { type: _type, ...common } = input ?? {};
  return (
    <div class={error ? "field field-wrong" : "field"}>
      <label for={id}>{label}</label>
      <div class="field-box">
        {rows ? (
          <textarea {...common} {...shared} rows={rows} {...(hasLines ? {} : { onKeyDown: sendByEnter })} />
        ) : (
          // The library ties roles to each single type of input; none of ours sets a role.
          <input {...(input as Omit<InputOptions, "type"> & { type?: "text" })} {...(inputRef ? { ref: inputRef } : {})} {...shared} />
        )}
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

/** Enter sends the form, as from any other field. */
function sendByEnter(event: KeyboardEvent & { currentTarget: HTMLTextAreaElement }) {
  if (event.key !== "Enter") return;
  event.preventDefault();
  event.currentTarget.form?.requestSubmit();
}

type PasswordProps = Omit<FieldProps, "children" | "suffix" | "input"> & {
  autocomplete: "new-password" | "current-password" | "off";
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
