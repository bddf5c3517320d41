import type { ComponentChildren, Ref } from "preact";
import { formatEnd, isKnown, type Part, type Recovery } from "../logic/recovery";
import { Field } from "./field";
import { CardPage, Heading } from "./page";
import { Progress } from "./status";

interface Props {
  title: string;
  recovery: Recovery;
  /** Of what the end is asked for. */
  parts: Part[];
  ends: Record<Part, string>;
  problems: Partial<Record<Part, string>>;
  trouble: ComponentChildren;
  putOff: ComponentChildren;
  form: Ref<HTMLFormElement>;
  onEnd: (part: Part, end: string) => void;
  onShow: () => void;
  onCheck: () => void;
}

/** Shows that what was written down is right, before somebody needs it. */
export function EndStep({ title, recovery, parts, ends, problems, trouble, putOff, form, onEnd, onShow, onCheck }: Props) {
  const checking = recovery.phase !== "typing";
  return (
    <CardPage title={title}>
      <Heading turn="typing">Do you have it on paper?</Heading>
      <p class="lead">Type the last two groups from your paper, so that you know it is right before you need it.</p>
      {trouble}
      <form
        ref={form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!checking) onCheck();
        }}
      >
        {parts.map((part, index) => (
          <Field
            key={part}
            label={`Last two groups of the ${part}`}
            value={ends[part]}
            onValue={(value, input) => {
              const text = formatEnd(value);
              // What formatting drops leaves the state as it was, and then nothing would repaint the box.
              input.value = text;
              onEnd(part, text);
            }}
            error={problems[part]}
            hint={index === 0 ? "Capital or small letters, with or without dashes: all the same." : "The second one on the paper, for your private files."}
            input={{ class: "code", placeholder: "XXXX-XXXX", autocomplete: "off", autocapitalize: "characters", spellcheck: false }}
          />
        ))}
        {checking ? <Progress reason="Comparing it with what the box has made." /> : null}
        <div class="actions">
          {putOff}
          {isKnown(recovery) ? (
            <button type="button" class="button button-quiet" onClick={onShow}>
              Show it again
            </button>
          ) : null}
          <button type="submit" class="button" aria-disabled={checking}>
            Check
          </button>
        </div>
      </form>
    </CardPage>
  );
}
