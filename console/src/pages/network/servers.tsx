import { useRef, useState } from "preact/hooks";
import { ApiError } from "../../api/client";
import type { NetworkSettings } from "../../api/types";
import { explainFailure } from "../../logic/failure";
import { draftsOf, emptyDraft, faultAt, MAX_SERVERS, problemsOf, withServers, type Draft, type Member } from "../../logic/servers";
import { Field } from "../../ui/field";
import { Choice } from "../../ui/choice";
import { Notice } from "../../ui/status";

interface Props {
  settings: NetworkSettings;
  change: (settings: NetworkSettings) => Promise<void>;
  onClose: () => void;
}

type Problems = Partial<Record<Member, string>>[];

/** The list of name servers, in the order they are tried. */
export function ServersForm({ settings, change, onClose }: Props) {
  const [drafts, setDrafts] = useState<Draft[]>(() => draftsOf(settings));
  const [problems, setProblems] = useState<Problems>([]);
  const [trouble, setTrouble] = useState<string>();
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);

  function show(found: Problems) {
    setProblems(found);
    // After the errors are drawn: the first field at fault is where to go on.
    setTimeout(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
  }

  async function save() {
    const found = drafts.map(problemsOf);
    setTrouble(undefined);
    if (found.some((each) => Object.keys(each).length > 0)) return show(found);
    setBusy(true);
    try {
      await change(withServers(settings, drafts));
      onClose();
    } catch (error) {
      setBusy(false);
      const fault = error instanceof ApiError ? faultAt(error.field) : undefined;
      if (fault && error instanceof ApiError) show(drafts.map((_, row) => (row === fault.row ? { [fault.member]: error.message } : {})));
      else setTrouble(explainFailure(error));
    }
  }

  function edit(at: number, next: Partial<Draft>) {
    setDrafts(drafts.map((draft, row) => (row === at ? { ...draft, ...next } : draft)));
    setProblems(problems.map((each, row) => (row === at ? {} : each)));
  }

  function put(next: Draft[]) {
    setDrafts(next);
    setProblems([]);
  }

  return (
    <form
      ref={form}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy) void save();
      }}
    >
      {drafts.length === 0 ? <p>Without any of your own, the box uses its built-in name servers.</p> : null}
      {drafts.map((draft, at) => (
        <ServerFields
          key={draft.id}
          draft={draft}
          at={at}
          problems={problems[at] ?? {}}
          onEdit={(next) => edit(at, next)}
          onRemove={() => put(drafts.filter((each) => each !== draft))}
          {...(at > 0 ? { onUp: () => put(moved(drafts, at)) } : {})}
        />
      ))}
      {drafts.length < MAX_SERVERS ? (
        <button type="button" class="link" onClick={() => put([...drafts, emptyDraft()])}>
          Add a name server
        </button>
      ) : null}
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      <p class="quiet">The box tries the change for a minute and goes back unless you keep it, so a slip cannot lock you out.</p>
      <div class="actions">
        <button type="button" class="button button-quiet" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" class="button" aria-disabled={busy}>
          Try these settings
        </button>
      </div>
    </form>
  );
}

/** With the one at `at` before its neighbour. */
function moved(drafts: Draft[], at: number): Draft[] {
  const next = [...drafts];
  next.splice(at - 1, 2, ...drafts.slice(at - 1, at + 1).reverse());
  return next;
}

interface FieldsProps {
  draft: Draft;
  at: number;
  problems: Partial<Record<Member, string>>;
  onEdit: (next: Partial<Draft>) => void;
  onRemove: () => void;
  onUp?: () => void;
}

const PLAIN = { autocomplete: "off", autocapitalize: "none", spellcheck: false } as const;

function ServerFields({ draft, at, problems, onEdit, onRemove, onUp }: FieldsProps) {
  const title = `Name server ${at + 1}`;
  return (
    <fieldset class="server">
      <legend>
        {title}
        {draft.name ? <span class="unseen">, {draft.name}</span> : null}
      </legend>
      <Field label="Name" value={draft.name} onValue={(name) => onEdit({ name })} error={problems.name} hint="As in its certificate: dns.example.org" input={PLAIN} />
      <Field
        label="Addresses"
        value={draft.addresses}
        onValue={(addresses) => onEdit({ addresses })}
        error={problems.addresses}
        hint="Several with commas between them"
        input={PLAIN}
      />
      <div class="server-way">
        <Choice label="Encrypted by" value={draft.by} options={[["tls", "TLS"], ["https", "HTTPS"]]} onValue={(by) => onEdit({ by: by === "https" ? "https" : "tls" })} />
        <Field
          label="Port"
          value={draft.port}
          onValue={(port) => onEdit({ port })}
          error={problems.port}
          input={{ ...PLAIN, placeholder: draft.by === "https" ? "443" : "853" }}
        />
      </div>
      {draft.by === "https" ? (
        <Field label="Path" value={draft.path} onValue={(path) => onEdit({ path })} error={problems.path} input={{ ...PLAIN, placeholder: "/dns-query" }} />
      ) : null}
      <div class="server-acts">
        {onUp ? (
          <button type="button" class="link" onClick={onUp}>
            Ask this one earlier<span class="unseen">: {draft.name || title}</span>
          </button>
        ) : null}
        <button type="button" class="link" onClick={onRemove}>
          Remove<span class="unseen"> {draft.name || title}</span>
        </button>
      </div>
    </fieldset>
  );
}
