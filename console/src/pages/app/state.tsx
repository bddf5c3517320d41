import { useEffect, useRef, useState } from "preact/hooks";
import { api, type AppRun } from "../../api/client";
import type { AppStatus, AppView } from "../../api/apps";
import { appState, appTrouble, canCallOff, operationWords, problemTitle, runs, sentence, stateAdvice } from "../../logic/apps";
import { storageWords, totalWords, trafficWords, type Look } from "../../logic/appusage";
import { pageAddress, reachedAt } from "../../logic/permissions";
import { Reasons } from "../../ui/reasons";
import { Notice, StatusWord, WorkBar } from "../../ui/status";

interface Props {
  app: AppView;
  before: Look | undefined;
  now: Look;
  again: () => Promise<void>;
}

const RUNS: Record<AppRun, string> = { start: "Start", stop: "Stop", restart: "Restart" };

/** How the app is, why, and what is being done to it; starting and stopping it. */
export function StateCard({ app, before, now, again }: Props) {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const { word, tone } = appState(app.state);
  const advice = stateAdvice(app.state);
  const uses = totalWords(before, now);
  const traffic = trafficWords(app);
  const storage = storageWords(app);
  const addresses = ["removed", "installing"].includes(app.state) ? [] : reachedAt(app.granted, location.hostname);
  const possible = app.may_manage && app.operation === null ? runs(app.state) : [];
  const acts = useRef<HTMLDivElement>(null);
  /** The state in which something was pressed. */
  const pressed = useRef<AppStatus | undefined>(undefined);
  useEffect(() => {
    if (busy || pressed.current === undefined) return;
    // What was pressed may be gone, as after stopping; without this the focus would start over at the page's top.
    const isLost = document.activeElement === document.body;
    if (isLost) acts.current?.querySelector("button")?.focus();
    if (isLost || pressed.current !== app.state) pressed.current = undefined;
  }, [busy, app.state]);

  async function begin(ask: () => Promise<void>) {
    if (busy) return;
    pressed.current = app.state;
    setBusy(true);
    setTrouble(undefined);
    try {
      await ask();
    } catch (error) {
      setTrouble(appTrouble(error));
    }
    await again();
    setBusy(false);
  }

  return (
    <section class="card" aria-labelledby="state-title">
      <div class="card-head">
        <h2 id="state-title">How it is</h2>
        <span role="status">
          <StatusWord tone={tone}>{word}</StatusWord>
        </span>
      </div>
      {app.operation ? <WorkBar label={app.title} {...operationWords(app.operation)} /> : null}
      {app.operation === null && app.problem !== null ? (
        <Notice kind="bad" urgent>
          <p>
            <strong>{problemTitle(app)}</strong>
          </p>
          <p class="said">{sentence(app.problem)}</p>
        </Notice>
      ) : null}
      {advice ? <p>{advice}</p> : null}
      <Reasons title="Why" reasons={app.reasons} />
      {uses || traffic || storage || addresses.length > 0 ? (
        <dl class="rows ends">
          {uses ? (
            <div class="row">
              <dt>Uses</dt>
              <dd>{uses}</dd>
            </div>
          ) : null}
          {traffic ? (
            <div class="row">
              <dt>Network</dt>
              <dd>{traffic}</dd>
            </div>
          ) : null}
          {storage ? (
            <div class="row">
              <dt>Storage</dt>
              <dd>{storage}</dd>
            </div>
          ) : null}
          {addresses.length > 0 ? <Addresses addresses={addresses} /> : null}
        </dl>
      ) : null}
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      {app.page && app.state === "running" ? (
        <p>
          <a class="button" href={pageAddress(app.page, location.hostname)} target="_blank" rel="noreferrer">
            Open {app.title}
          </a>
        </p>
      ) : null}
      {possible.length > 0 ? (
        <div ref={acts} class="actions actions-start">
          {possible.map((run) => (
            <button
              key={run}
              type="button"
              class={run === "start" ? "button" : "button button-quiet"}
              aria-disabled={busy}
              onClick={() => void begin(() => api.runApp(app.key, run))}
            >
              {RUNS[run]}
            </button>
          ))}
        </div>
      ) : null}
      {app.may_manage && canCallOff(app.operation) ? (
        <div class="actions actions-start">
          <button type="button" class="button button-quiet" aria-disabled={busy} onClick={() => void begin(() => api.removeApp(app.key, "keep"))}>
            {app.operation?.what === "install" ? "Call the installation off" : "Call the update off"}
          </button>
        </div>
      ) : null}
      {app.may_manage ? null : <p class="quiet">It is for everybody at home, and the owner of the box looks after it.</p>}
    </section>
  );
}

/** Where devices at home reach it. */
function Addresses({ addresses }: { addresses: ReturnType<typeof reachedAt> }) {
  return (
    <div class="row">
      <dt>Reached at</dt>
      <dd>
        {addresses.map(({ address, protocol }) => (
          <span key={address + protocol} class="app-address">
            {address} <span class="code-name">{protocol}</span>
          </span>
        ))}
      </dd>
    </div>
  );
}
