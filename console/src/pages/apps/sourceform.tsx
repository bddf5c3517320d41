import { useRef, useState } from "preact/hooks";
import type { AppScope, AppSource, Remark } from "../../api/apps";
import type { Problems } from "../../logic/account";
import { draftProblems, kindOfFile, lookTrouble, sourceOf, withLines, type Draft, type Kind, type Member } from "../../logic/install";
import { AskForm } from "../../ui/askform";
import { Choice } from "../../ui/choice";
import { Field } from "../../ui/field";
import { Remarks } from "../../ui/remarks";

const KINDS = [
  ["manifest", "A hearth.json"],
  ["compose", "A docker-compose.yml"],
  ["image", "The name of an image"],
] as const;

const SCOPES = [
  ["system", "Everybody at home"],
  ["user", "You alone"],
] as const;

interface Props {
  draft: Draft;
  setDraft: (change: (old: Draft) => Draft) => void;
  /** Asks the box what this would ask for; done when it does not throw. */
  look: (source: AppSource) => Promise<void>;
  onLeave: () => void;
  /** Whether the form comes in place of its button. */
  takesFocus?: boolean;
  /** Whether it can be for the household. */
  asksForWhom?: boolean;
}

/** What an app is made of: a file that its makers offer, or an image. */
export function SourceForm({ draft, setDraft, look, onLeave, takesFocus = false, asksForWhom = false }: Props) {
  const [problems, setProblems] = useState<Problems<Member>>({});
  const [refusals, setRefusals] = useState<Remark[]>([]);

  function edit(change: Partial<Draft>, mended: Member) {
    setDraft((old) => ({ ...old, ...change }));
    setProblems(({ [mended]: _mended, ...rest }) => rest);
  }

  return (
    <AskForm
      action="Look at what it asks for"
      progress="The box reads it. Nothing is installed yet."
      leave="Cancel"
      onLeave={onLeave}
      takesFocus={takesFocus}
      problems={() => draftProblems(draft)}
      onProblems={setProblems}
      send={() => {
        setRefusals([]);
        return look(sourceOf(draft));
      }}
      explain={(error) => {
        const { refusals: found, missing, ...trouble } = lookTrouble(error, draft.variables);
        setRefusals(found);
        if (missing.length > 0) setDraft((old) => ({ ...old, variables: withLines(old.variables, missing) }));
        return trouble;
      }}
      onDone={() => undefined}
    >
      {refusals.length > 0 ? (
        <div class="aside">
          <p>
            <strong>What stands against it:</strong>
          </p>
          <Remarks remarks={refusals} />
        </div>
      ) : null}
      <Choice label="What do you have?" value={draft.kind} options={KINDS} onValue={(kind) => edit({ kind: kind as Kind }, "text")} />
      {draft.kind === "image" ? (
        <Field
          label="Name of the image"
          value={draft.image}
          onValue={(image) => edit({ image }, "image")}
          error={problems.image}
          hint="As its makers write it, such as ghcr.io/example/notes:1.4. It gets no access to anything but its own data."
          input={{ autocomplete: "off", autocapitalize: "none", spellcheck: false }}
        />
      ) : (
        <FileField
          value={draft.kind === "manifest" ? draft.manifest : draft.compose}
          onValue={(text) => edit(draft.kind === "manifest" ? { manifest: text } : { compose: text }, "text")}
          onFile={(name, text) => {
            const kind = kindOfFile(name, text);
            edit({ kind, [kind]: text }, "text");
          }}
          error={problems.text}
        />
      )}
      {asksForWhom && draft.kind !== "manifest" ? (
        <Choice label="Who is it for?" value={draft.scope} options={SCOPES} onValue={(scope) => edit({ scope: scope as AppScope }, "text")} />
      ) : null}
      {draft.kind === "compose" ? <ComposeFields draft={draft} problems={problems} edit={edit} /> : null}
    </AskForm>
  );
}

interface FileProps {
  value: string;
  onValue: (text: string) => void;
  onFile: (name: string, text: string) => void;
  error: string | undefined;
}

/** The text of a file: pasted, or read from one that is chosen. */
function FileField({ value, onValue, onFile, error }: FileProps) {
  const chooser = useRef<HTMLInputElement>(null);

  async function read(file: File | undefined) {
    if (file) onFile(file.name, await file.text());
  }

  return (
    <>
      <div class="actions actions-start">
        <button type="button" class="button button-quiet" onClick={() => chooser.current?.click()}>
          Choose the file…
        </button>
      </div>
      <input
        ref={chooser}
        type="file"
        accept=".json,.yml,.yaml,.txt"
        hidden
        aria-label="File of the app"
        onChange={(event) => {
          const [file] = Array.from(event.currentTarget.files ?? []);
          event.currentTarget.value = "";
          void read(file);
        }}
      />
      <Field
        label="Or paste its text"
        value={value}
        onValue={onValue}
        error={error}
        rows={8}
        hasLines
        input={{ class: "code-lines", autocomplete: "off", autocapitalize: "none", spellcheck: false }}
      />
    </>
  );
}

interface ComposeProps {
  draft: Draft;
  problems: Problems<Member>;
  edit: (change: Partial<Draft>, mended: Member) => void;
}

/** What such a file does not say. */
function ComposeFields({ draft, problems, edit }: ComposeProps) {
  return (
    <>
      <div class="pair">
        <Field
          label="Name of the app"
          value={draft.title}
          onValue={(title) => edit({ title }, "title")}
          error={problems.title}
          hint="Without one it is “Imported app”."
          input={{ autocomplete: "off" }}
        />
        <Field
          label="Version"
          value={draft.version}
          onValue={(version) => edit({ version }, "version")}
          error={problems.version}
          hint="Such as 1.4.0, if you know it."
          input={{ autocomplete: "off", spellcheck: false }}
        />
      </div>
      <Field
        label="Settings that the file leaves open"
        value={draft.variables}
        onValue={(variables) => edit({ variables }, "variables")}
        error={problems.variables}
        hint="One on each line, such as DB_PASSWORD=something. Leave it empty if there are none."
        rows={3}
        hasLines
        input={{ class: "code-lines", autocomplete: "off", autocapitalize: "none", spellcheck: false }}
      />
    </>
  );
}
