import { useCallback, useState } from "preact/hooks";
import { api } from "../api/client";
import type { AppList, AppSource } from "../api/apps";
import { EMPTY, scopeOf, type Draft } from "../logic/install";
import { AreaPage } from "../ui/areapage";
import { useLoggedOut, usePoll } from "../ui/poll";
import { Notice } from "../ui/status";
import { Consent, type Looked } from "./apps/consent";
import { SourceForm } from "./apps/sourceform";

/** What is asked for here changes seldom. */
const REFRESH_MS = 15_000;

interface Props {
  /** A removed app whose data the new one takes up. */
  dataOf: string | undefined;
  onBack: () => void;
  onLoggedOut: () => void;
  onApp: (key: string) => void;
  /** Whether whoever installs may do so for the household. */
  isOwner: boolean;
}

/** From what somebody has to an app that is being installed. */
export function InstallPage({ dataOf, onBack, onLoggedOut, onApp, isOwner }: Props) {
  const poll = usePoll(api.apps, REFRESH_MS);
  useLoggedOut(poll, onLoggedOut);
  // What an owner installs is mostly for the household, and is to run from each start of the box.
  const [draft, setDraft] = useState<Draft>({ ...EMPTY, scope: isOwner ? "system" : "user" });
  const [looked, setLooked] = useState<Looked>();
  /** Counts the steps: the focus goes to the heading then. */
  const [turn, setTurn] = useState(0);

  function step(to: Looked | undefined) {
    setLooked(to);
    setTurn((before) => before + 1);
    scrollTo(0, 0);
  }

  const look = useCallback(
    async (source: AppSource) => {
      const scope = scopeOf(draft);
      const request = { source, ...(dataOf ? { data_of: dataOf } : {}), ...(scope ? { scope } : {}) };
      step({ request, inspection: await api.inspectApp(request) });
    },
    [dataOf, draft],
  );

  return (
    <AreaPage
      title={looked ? "What it may do" : "Install an app"}
      asking="Asking the box for its apps."
      back="Back to apps"
      {...{ poll, turn }}
      onHome={onBack}
    >
      {(list) => (
        <>
          <TakesUp list={list} dataOf={dataOf} />
          <div class="alone">
            {looked ? (
              <Consent looked={looked} onLooked={setLooked} onBack={() => step(undefined)} onInstalled={onApp} />
            ) : (
              <section class="card" aria-labelledby="source-title">
                <h2 id="source-title">What do you want to install?</h2>
                <p>
                  Makers of apps offer a file that describes what the app consists of: a hearth.json made for this box, or the more common
                  docker-compose.yml. Take only files of people whom you trust.
                </p>
                <SourceForm {...{ draft, setDraft, look }} onLeave={onBack} asksForWhom={isOwner} />
              </section>
            )}
          </div>
        </>
      )}
    </AreaPage>
  );
}

function TakesUp({ list: { apps }, dataOf }: { list: AppList; dataOf: string | undefined }) {
  if (dataOf === undefined) return null;
  const title = apps.find(({ key, state }) => key === dataOf && state === "removed")?.title;
  return (
    <Notice kind={title ? "info" : "warn"}>
      {title ? (
        <p>What you install now takes up the data of {title}. Take the same app, or a newer version of it.</p>
      ) : (
        <p>The data that this was to take up is no longer there. Go back to the apps and begin anew.</p>
      )}
    </Notice>
  );
}
