import { useLayoutEffect, useRef } from "preact/hooks";
import { formatClaimCode } from "../logic/claim";
import { Field, type TextElement } from "../ui/field";
import { Heading } from "../ui/page";
import type { StepProps } from "./wizard";

/** Step 1: whoever knows the code has the box in front of them. */
export function ClaimStep({ wizard, edit }: StepProps) {
  const input = useRef<HTMLInputElement>(null);
  const caret = useRef<number | null>(null);

  // Grouping changes the text under the cursor; the browser would put it at the end.
  useLayoutEffect(() => {
    if (caret.current !== null) input.current?.setSelectionRange(caret.current, caret.current);
    caret.current = null;
  }, [wizard.draft.claimCode]);

  function onValue(raw: string, element: TextElement) {
    const typed = formatClaimCode(raw, element.selectionStart ?? raw.length);
    caret.current = typed.caret;
    // A character that formatting drops leaves the draft as it was, and then nothing would repaint the box.
    element.value = typed.text;
    element.setSelectionRange(typed.caret, typed.caret);
    edit("claimCode", typed.text);
  }

  return (
    <>
      <Heading>Welcome home</Heading>
      <p class="lead">This is your own server. A few short steps and it is ready; everything stays in this house.</p>
      <Field
        label="Claim code"
        value={wizard.draft.claimCode}
        onValue={onValue}
        error={wizard.errors.claimCode}
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
    </>
  );
}

/** Stands below the button: who has the code at hand needs none of it. */
export function ClaimHelp() {
  return (
    <div class="aside">
      <h2>Where do I find the code?</h2>
      <ul>
        <li>On the screen attached to the box, in the line that begins with “claim code”.</li>
        <li>No screen? Attach one, or read the serial console; a restart shows a new code.</li>
      </ul>
      <p>It makes sure that nobody else on your network can take the box before you do.</p>
    </div>
  );
}
