import { useCallback, useState } from "preact/hooks";
import { api } from "../api/client";
import type { AppEnding, AppSummary } from "../api/apps";
import type { User } from "../api/types";
import { afterEvent, appState, goneWords, operationWords, scopeWords, sentence, sorted } from "../logic/apps";
import { isOwner } from "../logic/people";
import { AreaPage } from "../ui/areapage";
import { useLive } from "../ui/live";
import { useLoggedOut } from "../ui/poll";
import { Notice, StatusWord, WorkBar } from "../ui/status";
import { LeftCard } from "./apps/left";

const REFRESH_MS = 10_000;

interface Props {
  user: User;
  onHome: () => void;
  onLoggedOut: () => void;
  onApp: (key: string) => void;
  onInstall: (dataOf?: string) => void;
}

/** The apps that there are, and the way to new ones. */
export function AppsPage({ user, onHome, onLoggedOut, onApp, onInstall }: Props) {
  const poll = useLive(api.apps, REFRESH_MS, afterEvent);
  useLoggedOut(poll, onLoggedOut);
  const [done, setDone] = useState<string>();
  /** Counts what was done: the focus goes to the heading then. */
  const [turn, setTurn] = useState(0);
  const { again } = poll;
  const tell = useCallback(
    async (words: string) => {
      await again();
      setDone(words);
      setTurn((before) => before + 1);
      scrollTo(0, 0);
    },
    [again],
  );

  return (
    <AreaPage title="Apps" asking="Asking the box for its apps." {...{ poll, done, turn, onHome }}>
      {({ problem, apps, ended }) => {
        const { there, left: all } = sorted(apps);
        // What the household's apps have left is the owner's to decide.
        const left = all.filter(({ scope }) => scope === "user" || isOwner(user));
        return (
          <>
            {problem === null ? null : (
              <Notice kind="warn">
                <p>{sentence(problem)}</p>
              </Notice>
            )}
            <div class="cards">
              <div class="column">
                <ThereCard apps={there} onApp={onApp} />
              </div>
              <div class="column">
                <section class="card" aria-labelledby="install-title">
                  <h2 id="install-title">Install an app</h2>
                  <p>From a file that its makers offer, or from the name of an image. Before anything is fetched you see what it asks for.</p>
                  <div class="actions actions-start">
                    <button type="button" class="button" onClick={() => onInstall()}>
                      Install an app
                    </button>
                  </div>
                </section>
                {left.length > 0 ? <LeftCard apps={left} onInstall={onInstall} tell={tell} /> : null}
                <FailedCard ended={ended} />
              </div>
            </div>
          </>
        );
      }}
    </AreaPage>
  );
}

function ThereCard({ apps, onApp }: { apps: AppSummary[]; onApp: (key: string) => void }) {
  return (
    <section class="card" aria-labelledby="there-title">
      <h2 id="there-title">Your apps</h2>
      {apps.length === 0 ? <p>There are none yet. What you install runs on this box, and gets only what you allow.</p> : null}
      {apps.length > 0 ? (
        <ul class="rows">
          {apps.map((app) => (
            <AppRow key={app.key} app={app} onApp={() => onApp(app.key)} />
          ))}
        </ul>
      ) : null}
    </section>
  );
}

function AppRow({ app, onApp }: { app: AppSummary; onApp: () => void }) {
  const { word, tone } = appState(app.state);
  const reason = app.reasons[0];
  return (
    <li class="row">
      <div class="row-main">
        <button type="button" class="link row-name app-name" onClick={onApp}>
          {app.title}
        </button>
        <StatusWord tone={tone}>{word}</StatusWord>
        <p class="row-detail">
          Version {app.version} · {scopeWords(app.scope)}
        </p>
        {reason ? <p class="row-detail">{sentence(reason)}</p> : null}
        {app.problem !== null && !app.operation ? <p class="row-detail">Its last change came to nothing; its page tells why.</p> : null}
        {app.operation ? (
          <div class="row-form">
            <WorkBar label={app.title} {...operationWords(app.operation)} />
          </div>
        ) : null}
      </div>
    </li>
  );
}

/** More than that would be history. */
const SHOWN_ENDS = 3;

/** Installations that came to nothing, until the box restarts. */
function FailedCard({ ended }: { ended: AppEnding[] }) {
  const failed = ended.filter(({ problem }) => problem !== null).slice(0, SHOWN_ENDS);
  if (failed.length === 0) return null;
  return (
    <section class="card" aria-labelledby="failed-title">
      <h2 id="failed-title">What came to nothing</h2>
      <dl class="left-out">
        {failed.map((ending) => (
          <div key={ending.key}>
            <dt>{goneWords(ending).title}</dt>
            <dd class="said">{sentence(ending.problem ?? "")}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
