import { useEffect, useRef } from "preact/hooks";
import type { Event, Restoring } from "../logic/restore";
import { formatDuration } from "../logic/format";
import { kitInFile } from "../logic/kit";
import { Choice } from "../ui/choice";
import { ClaimField } from "../ui/claimfield";
import { useCountdown } from "../ui/countdown";
import { useFaults } from "../ui/faults";
import { Field } from "../ui/field";
import { CardPage, Heading } from "../ui/page";
import { PlaceFields } from "../ui/placefields";
import { Notice, Progress } from "../ui/status";

interface Props {
  restoring: Restoring;
  send: (event: Event) => void;
  onBack: () => void;
}

/** The claim code, the kit, and where the backup is. */
export function RestoreForm({ restoring: { phase, draft, problems, trouble, wait: told, attempt }, send, onBack }: Props) {
  const form = useFaults(attempt);
  const [wait, setWait] = useCountdown();
  useEffect(() => setWait(told), [told, attempt, setWait]);
  const sending = phase === "sending";
  return (
    <CardPage title="Restore">
      <Heading>Bring your household back</Heading>
      <p class="lead">You need the recovery kit, a sheet of paper, and the backup. Nothing on this box changes before all of it is checked.</p>
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>
            <strong>Nothing was restored.</strong> {trouble}
          </p>
        </Notice>
      ) : null}
      <form
        ref={form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!sending && wait === 0) send({ kind: "send" });
        }}
      >
        <ClaimField value={draft.claimCode} error={problems.claimCode} onValue={(claimCode) => send({ kind: "edit", change: { claimCode } })} />
        <KitField value={draft.kit} error={problems.kit} onValue={(kit) => send({ kind: "edit", change: { kit } })} />
        <Choice
          label="Where is the backup?"
          value={draft.asInKit ? "kit" : "here"}
          options={[
            ["kit", "USB disk, or as the kit says"],
            ["here", "Somewhere else…"],
          ]}
          onValue={(value) => send({ kind: "edit", change: { asInKit: value === "kit" } })}
        />
        {draft.asInKit ? null : <PlaceFields draft={draft} problems={problems} onEdit={(change) => send({ kind: "edit", change })} secretStays={false} />}
        {sending ? <Progress reason="Handing the kit to the box." /> : null}
        <div class="actions">
          <button type="button" class="button button-quiet" disabled={sending} onClick={onBack}>
            Set up a new household
          </button>
          <button type="submit" class="button" aria-disabled={sending || wait > 0}>
            {wait > 0 ? `Wait ${formatDuration(wait)}` : "Restore"}
          </button>
        </div>
      </form>
    </CardPage>
  );
}

interface KitProps {
  value: string;
  error: string | undefined;
  onValue: (kit: string) => void;
}

/** The kit as typed or pasted, or from a file that somebody kept. */
function KitField({ value, error, onValue }: KitProps) {
  const chooser = useRef<HTMLInputElement>(null);

  async function take(files: FileList | null) {
    const file = files?.[0];
    if (file) onValue(kitInFile(await file.text().catch(() => "")));
    if (chooser.current) chooser.current.value = "";
  }

  return (
    <>
      <Field
        label="Recovery kit"
        value={value}
        onValue={onValue}
        error={error}
        hint="The numbered lines as printed, each on a line of its own; or what a phone reads from the code."
        rows={6}
        hasLines
        input={{ class: "code code-lines", autocomplete: "off", autocapitalize: "none", spellcheck: false }}
      />
      <p class="kit-file">
        <button type="button" class="link" onClick={() => chooser.current?.click()}>
          Take it from a file
        </button>
        <input ref={chooser} type="file" accept=".txt,.html,text/plain,text/html" hidden aria-label="File with the kit" onChange={(event) => void take(event.currentTarget.files)} />
      </p>
    </>
  );
}
