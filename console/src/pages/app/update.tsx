import { useEffect, useRef, useState } from "preact/hooks";
import { api, ApiError } from "../../api/client";
import type { AppSource, AppView, Inspection } from "../../api/apps";
import { appTrouble } from "../../logic/apps";
import { EMPTY, type Draft } from "../../logic/install";
import { shownAsk } from "../../logic/permissions";
import { useEditing } from "../../ui/editing";
import { AskList } from "../../ui/permissions";
import { Notice, Progress } from "../../ui/status";
import { Beside, Refusals } from "../apps/inspected";
import { SourceForm } from "../apps/sourceform";

interface Props {
  app: AppView;
  /** Leads to the top of the page, where its progress is. */
  tell: () => void;
}

/** What would take the app's place, and from what; without a source it is what the app was made of before. */
interface Found {
  inspection: Inspection;
  source?: AppSource;
}

/** Another version: first what is new about it, then the update. */
export function UpdateCard({ app, tell }: Props) {
  const { isOpen, open, close, opener } = useEditing();
  const [draft, setDraft] = useState<Draft>(EMPTY);
  const [found, setFound] = useState<Found>();
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const left = useRef(false);
  useEffect(() => {
    // The button that was pressed to leave has gone; without this the focus would start over at the page's top.
    if (left.current) opener.current?.focus();
    left.current = false;
  }, [found, opener]);

  function leave() {
    left.current = true;
    setFound(undefined);
  }

  async function look(source?: AppSource) {
    const inspection = await api.inspectApp({ update: app.key, ...(source ? { source } : {}) });
    setFound({ inspection, ...(source ? { source } : {}) });
    close();
  }

  async function attempt(ask: () => Promise<void>) {
    if (busy) return;
    setBusy(true);
    setTrouble(undefined);
    try {
      await ask();
    } catch (error) {
      setTrouble(appTrouble(error));
      if (found && error instanceof ApiError && error.code === "not_what_was_shown") await look(found.source).catch(() => setFound(undefined));
    }
    setBusy(false);
  }

  async function update({ inspection, source }: Found) {
    await api.updateApp(app.key, inspection.shown, source);
    setFound(undefined);
    tell();
  }

  return (
    <section class="card" aria-labelledby="update-title">
      <h2 id="update-title">Update</h2>
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      {found ? (
        <WhatIsNew found={found} app={app} busy={busy} onLeave={leave} onUpdate={() => void attempt(() => update(found))} />
      ) : isOpen ? (
        <SourceForm {...{ draft, setDraft, look }} onLeave={close} takesFocus />
      ) : (
        <>
          <p>Fetch anew what it is made of, or take a newer file of its makers. Its data is saved before; what does not work is taken back.</p>
          {busy ? <Progress reason="Asking the box what is new." /> : null}
          <div class="actions actions-start">
            <button type="button" class="button button-quiet" aria-disabled={busy} onClick={() => void attempt(() => look())}>
              Fetch it anew…
            </button>
            <button ref={opener} type="button" class="button button-quiet" onClick={open}>
              From a newer file…
            </button>
          </div>
        </>
      )}
    </section>
  );
}

interface NewProps {
  found: Found;
  app: AppView;
  busy: boolean;
  onLeave: () => void;
  onUpdate: () => void;
}

function WhatIsNew({ found: { inspection, source }, app, busy, onLeave, onUpdate }: NewProps) {
  const { version, asks, refusals } = inspection;
  const cannot = busy || refusals.length > 0;
  const first = useRef<HTMLParagraphElement>(null);
  useEffect(() => first.current?.focus(), []);
  return (
    <>
      <p ref={first} class="read-first" tabIndex={-1}>
        {source
          ? `Version ${version} takes the place of ${app.version}.`
          : `Version ${app.version} again, with what its makers offer under that name now.`}
      </p>
      <Refusals inspection={inspection} />
      {asks.length === 0 ? (
        <p>It asks for nothing beyond what it has. What you switched off stays off.</p>
      ) : (
        <>
          <h3>It asks for more than before</h3>
          <AskList asks={asks.map(shownAsk)} />
          <p class="quiet">With the update it gets this; you can switch it off afterwards. What you switched off before stays off.</p>
        </>
      )}
      <p>The app stops for a while. If the new version does not work, the box brings back the one from before, with its data.</p>
      <Beside inspection={inspection} />
      {busy ? <Progress reason="Telling the box to update it." /> : null}
      <div class="actions">
        <button type="button" class="button button-quiet" onClick={onLeave}>
          Not now
        </button>
        <button type="button" class="button" aria-disabled={cannot} onClick={() => (cannot ? undefined : onUpdate())}>
          Update
        </button>
      </div>
    </>
  );
}
