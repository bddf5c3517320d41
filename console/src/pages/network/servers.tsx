import { useRef, useState } from "preact/hooks";
import type { ApiError } from "../../api/client";
import type { NetworkSettings } from "../../api/types";
import { draftsOf, emptyDraft, faultAt, MAX_SERVERS, problemsOf, withServers, type Draft, type Member } from "../../logic/servers";
import { Field } from "../../ui/field";
import { Choice } from "../../ui/choice";
import { SettingsForm, type Change } from "./settingsform";

interface Props {
  settings: NetworkSettings;
  change: Change;
  onClose: () => void;
}

type Problems = Partial<Record<Member, string>>[];

/** The list of name servers, in the order they are tried. */
export function ServersForm({ settings, change, onClose }: Props) {
  const [drafts, setDrafts] = useState<Draft[]>(() => draftsOf(settings));
  const [problems, setProblems] = useState<Problems>([]);
  const form = useRef<HTMLFormElement>(null);

  function show(found: Problems): boolean {
    setProblems(found);
    return found.some((each) => Object.keys(each).length > 0);
  }

  function showRefusal(error: ApiError): boolean {
    const fault = faultAt(error.field);
    return show(drafts.map((_, row) => (row === fault?.row ? { [fault.member]: error.message } : {})));
  }

  function edit(at: number, next: Partial<Draft>) {
    setDrafts(drafts.map((draft, row) => (row === at ? { ...draft, ...next } : draft)));
    setProblems(problems.map((each, row) => (row === at ? {} : each)));
  }

  /** Changes the rows and goes to one of them: the button that was pressed may be gone. */
  function put(next: Draft[], row: number, part = "input") {
    setDrafts(next);
    setProblems([]);
    // After the rows are drawn.
    setTimeout(() => {
      const fields = form.current?.querySelectorAll("fieldset")[row];
      const target = fields?.querySelector<HTMLElement>(part) ?? fields?.querySelector("input") ?? form.current?.querySelector("button");
      target?.focus();
    });
  }

  return (
    <SettingsForm
      form={form}
      label="Name servers"
      action="Try these settings"
      isWrong={() => show(drafts.map(problemsOf))}
      save={() => change((now) => withServers(now, drafts))}
      showRefusal={showRefusal}
      onClose={onClose}
    >
      {drafts.length === 0 ? <p>Without any of your own, the box uses its built-in name servers.</p> : null}
      {drafts.map((draft, at) => (
        <ServerFields
          key={draft.id}
          draft={draft}
          at={at}
          problems={problems[at] ?? {}}
          onEdit={(next) => edit(at, next)}
          onRemove={() => put(drafts.filter((each) => each !== draft), Math.min(at, drafts.length - 2))}
          {...(at > 0 ? { onUp: () => put(moved(drafts, at), at - 1, ".server-up") } : {})}
        />
      ))}
      {drafts.length < MAX_SERVERS ? (
        <button type="button" class="link" onClick={() => put([...drafts, emptyDraft()], drafts.length)}>
          Add a name server
        </button>
      ) : null}
    </SettingsForm>
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
          <button type="button" class="link server-up" onClick={onUp}>
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
