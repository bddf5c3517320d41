import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { api, ApiError } from "../api/client";
import type { AppEnding, AppEvent, AppView } from "../api/apps";
import { appAfter, endWords, goneWords, isSettled, sentence } from "../logic/apps";
import type { Look } from "../logic/appusage";
import { AreaPage } from "../ui/areapage";
import { useLive } from "../ui/live";
import { useLoggedOut } from "../ui/poll";
import { Notice } from "../ui/status";
import { ContainersCard } from "./app/containers";
import { LogCard } from "./app/log";
import { PermissionsCard } from "./app/permissions";
import { RemoveCard } from "./app/remove";
import { RenameCard } from "./app/rename";
import { StateCard } from "./app/state";
import { UpdateCard } from "./app/update";
import { AppWords } from "./apps/inspected";
import { LeftCard } from "./apps/left";

const REFRESH_MS = 3000;

interface Props {
  /** The app's key. */
  app: string;
  onBack: () => void;
  onLoggedOut: () => void;
  onInstall: (dataOf: string) => void;
}

type Known =
  | { kind: "there"; app: AppView; at: number }
  /** With how it ended, where the box still knows. */
  | { kind: "gone"; ending?: AppEnding };

async function askFor(key: string): Promise<Known> {
  try {
    return { kind: "there", app: await api.app(key), at: Date.now() };
  } catch (error) {
    if (!(error instanceof ApiError && error.code === "no_such_app")) throw error;
  }
  const ending = (await api.apps()).ended.find((each) => each.key === key);
  return { kind: "gone", ...(ending ? { ending } : {}) };
}

/** One app: how it is, what it may, and all that can be done to it. */
export function AppPage({ app: key, onBack, onLoggedOut, onInstall }: Props) {
  /** Nobody asks for an app that is gone. */
  const gone = useRef<Known | undefined>(undefined);
  const ask = useCallback(async () => {
    const known = gone.current ?? (await askFor(key));
    if (known.kind === "gone") gone.current = known;
    return known;
  }, [key]);
  const after = useCallback(
    (known: Known, event: AppEvent): Known => {
      if (event.kind === "gone" && event.ending.key === key) return (gone.current = { kind: "gone", ending: event.ending });
      return known.kind === "there" ? { ...known, app: appAfter(known.app, event) } : known;
    },
    [key],
  );
  const poll = useLive(ask, REFRESH_MS, after);
  useLoggedOut(poll, onLoggedOut);
  const { done, turn, tell } = useDone(poll.data);
  const { again } = poll;
  const known = poll.data;
  const title =
    known?.kind === "there" ? known.app.title : known?.ending ? goneWords(known.ending).title : known ? "This app is no longer here" : "App";
  const before = useBefore(known);

  return (
    <AreaPage asking="Asking the box for the app." back="Back to apps" {...{ title, poll, done, turn }} onHome={onBack}>
      {(data) =>
        data.kind === "gone" ? (
          <Gone ending={data.ending} onBack={onBack} />
        ) : (
          <Whole app={data.app} now={{ at: data.at, containers: data.app.containers }} {...{ before, again, tell, onInstall }} />
        )
      }
    </AreaPage>
  );
}

interface WholeProps {
  app: AppView;
  before: Look | undefined;
  now: Look;
  again: () => Promise<void>;
  tell: (words?: string) => void;
  onInstall: (dataOf: string) => void;
}

function Whole({ app, before, now, again, tell, onInstall }: WholeProps) {
  const manages = app.may_manage;
  const isLeft = app.state === "removed" && app.operation === null;
  return (
    <div class="cards">
      <div class="column">
        <StateCard {...{ app, before, now, again }} />
        {/* The page itself shows when that is gone. */}
        {isLeft && manages ? <LeftCard title="Its data" apps={[app]} onInstall={onInstall} tell={again} /> : null}
        {app.containers.length > 0 ? <ContainersCard {...{ before, now }} /> : null}
        {manages && app.containers.length > 0 ? <LogCard app={app.key} names={app.containers.map(({ name }) => name)} /> : null}
      </div>
      <div class="column">
        <section class="card" aria-labelledby="about-title">
          <h2 id="about-title">What it is</h2>
          <AppWords app={app} />
        </section>
        {isLeft ? null : <PermissionsCard {...{ app, again }} />}
        {manages && isSettled(app) ? (
          <>
            <UpdateCard {...{ app, tell }} />
            <RenameCard {...{ app, tell, again }} />
            <RemoveCard {...{ app, again, tell }} />
          </>
        ) : null}
      </div>
    </div>
  );
}

function Gone({ ending, onBack }: { ending: AppEnding | undefined; onBack: () => void }) {
  const { words } = ending ? goneWords(ending) : { words: "It was removed, or it was never yours to see." };
  return (
    <div class="alone">
      <section class="card">
        <p>{words}</p>
        {ending?.problem ? (
          <Notice kind="bad" urgent>
            <p class="said">{sentence(ending.problem)}</p>
          </Notice>
        ) : null}
        <div class="actions">
          <button type="button" class="button" onClick={onBack}>
            Back to apps
          </button>
        </div>
      </section>
    </div>
  );
}

/** What has come of something: told by a card, or seen when what was being done to the app has ended. */
function useDone(known: Known | undefined): { done: string | undefined; turn: number; tell: (words?: string) => void } {
  const [done, setDone] = useState<string>();
  const [turn, setTurn] = useState(0);
  const was = useRef<AppView | undefined>(undefined);
  const tell = useCallback((words?: string) => {
    setDone(words);
    setTurn((before) => before + 1);
    scrollTo(0, 0);
  }, []);
  const app = known?.kind === "there" ? known.app : undefined;
  const isGone = known?.kind === "gone";
  useEffect(() => {
    if (app && was.current?.key === app.key) {
      // What was told of the last thing is old once the next has begun, or come to nothing.
      if ((app.operation === null) !== (was.current.operation === null)) setDone(endWords(was.current, app));
    }
    was.current = app;
  }, [app]);
  useEffect(() => {
    if (!isGone) return;
    setDone(undefined);
    setTurn((before) => before + 1);
  }, [isGone]);
  return { done, turn, tell };
}

/** The look before the newest one, to tell how fast something grows. */
function useBefore(known: Known | undefined): Look | undefined {
  const looks = useRef<{ before?: Look; now?: Look }>({});
  if (known?.kind === "there" && looks.current.now?.at !== known.at) {
    const { now } = looks.current;
    looks.current = { ...(now ? { before: now } : {}), now: { at: known.at, containers: known.app.containers } };
  }
  return looks.current.before;
}
