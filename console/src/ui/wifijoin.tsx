import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { farewell, type Draft, type DraftProblems } from "../logic/wifi";
import { Choice } from "./choice";
import { useFaults } from "./faults";
import { Field, PasswordField } from "./field";
import { Notice, Progress } from "./status";

interface Props {
  draft: Draft;
  problems: DraftProblems;
  /** Counts how often something was wrong; the focus goes there. */
  faults: number;
  /** Whether the first field takes the focus when the form comes. */
  takesFocus: boolean;
  /** Whether the name is typed too: it was not seen, or the box cannot look. */
  typesName: boolean;
  busy: boolean;
  /** What is said while the box is on its way. */
  way: ComponentChildren;
  /** What went wrong, where no field is at fault. */
  trouble: string | undefined;
  onEdit: (next: Partial<Draft>) => void;
  onSubmit: () => void;
  /** Without it the form stays: there is nothing else to do. */
  onCancel?: () => void;
}

/** The password of a network, and its name where that is not known. */
export function JoinForm({ draft, problems, faults, takesFocus, typesName, busy, way, trouble, onEdit, onSubmit, onCancel }: Props) {
  const form = useFaults(faults);
  useEffect(() => {
    if (takesFocus) form.current?.querySelector<HTMLElement>("input, button[type=submit]")?.focus();
  }, [takesFocus, form]);
  return (
    <form
      ref={form}
      class="wifi-form"
      aria-label={typesName ? "Join another network" : `Join ${draft.ssid}`}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy) onSubmit();
      }}
    >
      {typesName ? (
        <>
          <Field
            label="Name of the network"
            value={draft.ssid}
            onValue={(ssid) => onEdit({ ssid })}
            error={problems.ssid}
            hint="Exactly as it is written, also capital letters."
            input={{ autocomplete: "off", autocapitalize: "none", spellcheck: false }}
          />
          <Choice
            label="How it is protected"
            value={draft.isProtected ? "password" : "open"}
            options={[
              ["password", "By a password"],
              ["open", "Not at all"],
            ]}
            onValue={(value) => onEdit({ isProtected: value === "password" })}
          />
        </>
      ) : null}
      {draft.isProtected ? (
        <PasswordField
          label="Password of the network"
          autocomplete="off"
          value={draft.passphrase}
          onValue={(passphrase) => onEdit({ passphrase })}
          error={problems.passphrase}
          hint="Often on a label under the router."
        />
      ) : (
        <Notice kind="warn">
          <p>This network has no password: everybody nearby can be in it too. What goes between you and the box stays encrypted.</p>
        </Notice>
      )}
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      {way}
      <div class="actions">
        {onCancel ? (
          <button type="button" class="button button-quiet" onClick={onCancel}>
            {busy ? "Close" : "Cancel"}
          </button>
        ) : null}
        <button type="submit" class="button" aria-disabled={busy}>
          {busy ? "Joining…" : "Join"}
        </button>
      </div>
    </form>
  );
}

interface WayProps {
  text: string;
  ssid: string | null;
  fromOwn: boolean;
  address: string;
}

/** The box is on its way, and whoever looks may lose it. */
export function UnderWay({ text, ssid, fromOwn, address }: WayProps) {
  return (
    <div class="wifi-way">
      <Progress reason={text} />
      <Notice kind="info">
        {farewell(ssid, fromOwn).map((words) => (
          <p key={words}>{words}</p>
        ))}
        <p>
          <a class="address-inline" href={address}>
            {address}
          </a>
        </p>
      </Notice>
    </div>
  );
}
