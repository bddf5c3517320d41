import { useLayoutEffect, useRef } from "preact/hooks";
import { formatClaimCode } from "../logic/claim";
import { Field, type TextElement } from "./field";

interface Props {
  value: string;
  error?: string | undefined;
  onValue: (code: string) => void;
}

/** The claim code, grouped while it is typed. */
export function ClaimField({ value, error, onValue }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const caret = useRef<number | null>(null);

  // Grouping changes the text under the cursor; the browser would put it at the end.
  useLayoutEffect(() => {
    if (caret.current !== null) input.current?.setSelectionRange(caret.current, caret.current);
    caret.current = null;
  }, [value]);

  function group(raw: string, element: TextElement) {
    const typed = formatClaimCode(raw, element.selectionStart ?? raw.length);
    caret.current = typed.caret;
    // A character that formatting drops leaves the draft as it was, and then nothing would repaint the box.
    element.value = typed.text;
    element.setSelectionRange(typed.caret, typed.caret);
    onValue(typed.text);
  }

  return (
    <Field
      label="Claim code"
      value={value}
      onValue={group}
      error={error}
      inputRef={input}
      hint="Capital or small letters, with or without dashes: all the same."
      input={{
        class: "code",
        placeholder: "XXXX-XXXX-XXXX",
        autocomplete: "off",
        autocapitalize: "characters",
        spellcheck: false,
        inputMode: "text",
      }}
    />
  );
}
