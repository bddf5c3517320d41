import { useState } from "preact/hooks";
import { api, ApiError } from "../../api/client";
import type { Inspection, InspectRequest } from "../../api/apps";
import { appTrouble, scopeAdvice } from "../../logic/apps";
import { idProblem, idTrouble } from "../../logic/install";
import { grantedNames, splitAsks, switched } from "../../logic/permissions";
import { AskForm } from "../../ui/askform";
import { useEditing } from "../../ui/editing";
import { Field } from "../../ui/field";
import { AskList, PermissionSwitches } from "../../ui/permissions";
import { Notice, Progress } from "../../ui/status";
import { AppWords, Beside, Refusals } from "./inspected";

/** What was asked, and what the box answered. */
export interface Looked {
  request: InspectRequest & { source: NonNullable<InspectRequest["source"]> };
  inspection: Inspection;
}

interface Props {
  looked: Looked;
  onLooked: (looked: Looked) => void;
  onBack: () => void;
  onInstalled: (key: string) => void;
}

/** The permission screen: what an app asks for, before anything of it is fetched. */
export function Consent({ looked, onLooked, onBack, onInstalled }: Props) {
  const { request, inspection } = looked;
  const [withheld, setWithheld] = useState<string[]>([]);
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const { choices, facts } = splitAsks(inspection.asks);
  const cannot = busy || inspection.refusals.length > 0;

  async function install() {
    setBusy(true);
    setTrouble(undefined);
    const { source, data_of, id, scope } = request;
    const granted = grantedNames(inspection.asks, new Set(withheld));
    try {
      const { key } = await api.installApp({ source, shown: inspection.shown, granted, ...(data_of ? { data_of } : {}), ...(id ? { id } : {}), ...(scope ? { scope } : {}) });
      onInstalled(key);
    } catch (error) {
      setTrouble(appTrouble(error));
      setBusy(false);
      if (error instanceof ApiError && error.code === "not_what_was_shown") await lookAgain();
    }
  }

  /** Shows what it is now; what was withheld stays so. */
  async function lookAgain() {
    try {
      onLooked({ request, inspection: await api.inspectApp(request) });
    } catch (error) {
      setTrouble(appTrouble(error));
    }
  }

  return (
    <section class="card" aria-labelledby="consent-title">
      <h2 id="consent-title">{inspection.title}</h2>
      <AppWords app={inspection} />
      <p class="quiet">{scopeAdvice(inspection.scope)}</p>
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      <Refusals inspection={inspection} />
      <h3>What it asks for</h3>
      {choices.length === 0 ? (
        <p>It asks for no access: it reaches nothing but its own data.</p>
      ) : (
        <>
          <p class="quiet">Switch off what it should not have. You can change all of this later; some apps do less without it.</p>
          <PermissionSwitches
            choices={choices}
            has={(name) => !withheld.includes(name)}
            disabled={busy}
            warns
            onToggle={(name) => setWithheld((old) => switched(old, name))}
          />
        </>
      )}
      {facts.length > 0 ? (
        <>
          <h3>Good to know</h3>
          <AskList asks={facts} />
        </>
      ) : null}
      <ShortName looked={looked} onLooked={onLooked} />
      <Beside inspection={inspection} />
      {busy ? <Progress reason="Telling the box to install it." /> : null}
      <div class="actions">
        <button type="button" class="button button-quiet" onClick={onBack}>
          Back
        </button>
        <button type="button" class="button" aria-disabled={cannot} onClick={() => (cannot ? undefined : void install())}>
          Install
        </button>
      </div>
    </section>
  );
}

/** By which name people and other apps call it. */
function ShortName({ looked: { request, inspection }, onLooked }: Pick<Props, "looked" | "onLooked">) {
  const { isOpen, open, close, opener } = useEditing();
  const [id, setId] = useState(inspection.id);
  const [problem, setProblem] = useState<string>();
  if (!isOpen) {
    return (
      <p>
        It is called <strong class="account-name">{inspection.id}</strong> on this box.{" "}
        <button ref={opener} type="button" class="link" onClick={open}>
          Call it otherwise
        </button>
      </p>
    );
  }
  return (
    <div class="aside">
      <AskForm<"id">
        action="Use this name"
        progress="Asking the box."
        leave="Leave it"
        onLeave={close}
        takesFocus
        problems={() => {
          const found = idProblem(id);
          return found ? { id: found } : {};
        }}
        onProblems={({ id: found }) => setProblem(found)}
        send={async () => {
          const again = { ...request, id };
          onLooked({ request: again, inspection: await api.inspectApp(again) });
        }}
        explain={idTrouble}
        onDone={close}
      >
        <IdField {...{ id, problem }} onId={(value) => (setId(value), setProblem(undefined))} />
      </AskForm>
    </div>
  );
}

export function IdField({ id, problem, onId }: { id: string; problem: string | undefined; onId: (id: string) => void }) {
  return (
    <Field
      label="Short name"
      value={id}
      onValue={(value, input) => {
        const tidy = value.toLowerCase().replace(/[\s_]+/g, "-");
        // What tidying drops leaves the state as it was, and then nothing would repaint the box.
        input.value = tidy;
        onId(tidy);
      }}
      error={problem}
      hint="Letters a–z, digits and dashes. No two apps on this box have the same."
      input={{ autocomplete: "off", autocapitalize: "none", spellcheck: false }}
    />
  );
}
