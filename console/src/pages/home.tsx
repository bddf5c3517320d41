import { useCallback, useEffect, useState } from "preact/hooks";
import { api, ApiError } from "../api/client";
import type { AppList } from "../api/apps";
import type { Backups } from "../api/backups";
import type { Updates } from "../api/updates";
import type { Network, Status, StorageReport, System, User } from "../api/types";
import { clockProblem, greeting } from "../logic/format";
import { isOwner } from "../logic/people";
import type { Power } from "../logic/power";
import { ConnectionNotice } from "../ui/lost";
import { Brand } from "../ui/mark";
import { Heading, useTitle } from "../ui/page";
import { usePoll } from "../ui/poll";
import { Reasons } from "../ui/reasons";
import { Notice, Progress, StatusWord } from "../ui/status";
import { Trial } from "./network/trial";
import { AppsCard } from "./appscard";
import { BackupsCard } from "./backupscard";
import { UpdatesCard } from "./updatescard";
import { AccountCard, FilesCard, PeopleCard } from "./owncards";
import { NetworkCard } from "./networkcard";
import { PowerCard } from "./powercard";
import { ServicesCard } from "./services";
import { StorageCard } from "./storagecard";
import { SystemCard } from "./system";

const REFRESH_MS = 5000;

interface Props {
  user: User;
  onLoggedOut: (how: "by-you" | "by-box") => void;
  onLogs: (unit: string) => void;
  onNetwork: () => void;
  onStorage: () => void;
  onBackups: () => void;
  onUpdates: () => void;
  onPeople: () => void;
  onFiles: () => void;
  onApps: () => void;
  onAccount: () => void;
  onPower: (kind: Power["kind"]) => void;
}

interface Box {
  status: Status;
  system: System;
  /** Why they are not known, when the box cannot say. */
  apps: AppList | ApiError;
  /** Nothing for a member, who does not look after it. */
  care: Care | undefined;
  /** When this was so, in milliseconds of this device's clock. */
  at: number;
}

/** What an owner looks after. */
interface Care {
  /** Why it is not known, when the box's network service is away; the rest of the page then still stands. */
  network: Network | ApiError;
  /** The same of the keys of the data. */
  storage: StorageReport | ApiError;
  backups: Backups | ApiError;
  updates: Updates | ApiError;
}

async function askForOwner(): Promise<Box> {
  const [box, network, storage, backups, updates] = await Promise.all([
    askForMember(),
    orAway(api.networkLinks()),
    orAway(api.storage()),
    orAway(api.backups()),
    orAway(api.updates()),
  ]);
  return { ...box, care: { network, storage, backups, updates }, at: Date.now() };
}

async function askForMember(): Promise<Box> {
  const [status, system, apps] = await Promise.all([api.status(), api.system(), orAway(api.apps())]);
  return { status, system, apps, care: undefined, at: Date.now() };
}

/** What a service does not tell is told in its own place; only a session that has ended concerns the whole page. */
function orAway<T>(asked: Promise<T>): Promise<T | ApiError> {
  return asked.catch((error: unknown) => {
    if (error instanceof ApiError && error.status !== 401) return error;
    throw error;
  });
}

/** How the box is doing. */
export function HomePage({ user, onLoggedOut, ...pages }: Props) {
  const poll = usePoll(isOwner(user) ? askForOwner : askForMember, REFRESH_MS);
  const [trouble, setTrouble] = useState<string>();
  useTitle("Home");

  const loggedOut = poll.refusal?.status === 401;
  useEffect(() => {
    if (loggedOut) onLoggedOut("by-box");
  }, [loggedOut, onLoggedOut]);

  const logout = useCallback(async () => {
    try {
      await api.logout();
      onLoggedOut("by-you");
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) onLoggedOut("by-you");
      else setTrouble("You are still logged in, because the box did not answer. Try again in a moment.");
    }
  }, [onLoggedOut]);

  const box = poll.data;
  return (
    <div class="page">
      <header class="page-head">
        <Brand />
        <span class="page-head-user">
          <span class="user-name">{user.name}</span>
          <button type="button" class="button button-quiet button-small" onClick={logout}>
            Log out
          </button>
        </span>
      </header>
      <main>
        <Heading>
          {greeting(new Date().getHours())}, {user.name}
        </Heading>
        {trouble ? (
          <Notice kind="bad" urgent>
            <p>{trouble}</p>
          </Notice>
        ) : null}
        {poll.refusal && !loggedOut ? (
          <Notice kind="bad" urgent>
            <p>{poll.refusal.message}</p>
          </Notice>
        ) : null}
        {box ? (
          <>
            <Overview box={box} lost={poll.lost} user={user} {...pages} />
            {/* Who had to log in at another address, because of the change, arrives here. */}
            {box.care && !(box.care.network instanceof ApiError) ? (
              <Trial left={box.care.network.trial_seconds_left} at={box.at} onKept={poll.again} />
            ) : null}
          </>
        ) : (
          <Progress reason="Asking the box how it is." />
        )}
      </main>
      <footer class="page-foot">
        {box ? (
          <span>
            Hearth {box.system.version} on {box.system.board}
          </span>
        ) : null}
        <a class="link" href="/assets/licences.txt">
          Licences
        </a>
      </footer>
      <ConnectionNotice lost={poll.lost} trying={poll.trying} again={poll.again} />
    </div>
  );
}

type OverviewProps = Omit<Props, "onLoggedOut"> & { box: Box; lost: boolean };

function Overview({ box: { status, system, apps, care }, lost, user, ...pages }: OverviewProps) {
  const clock = clockProblem(system.time_unix, Date.now() / 1000);
  return (
    <>
      <p class="lead headline">
        <span>
          <strong>{status.hostname}</strong>.local
        </span>
        <Overall healthy={status.state === "ready"} lost={lost} />
      </p>
      <Reasons
        title={isOwner(user) ? "The box works, but not everything is as it should be:" : "For whoever looks after the box:"}
        reasons={status.reasons}
      />
      {clock ? (
        <Notice kind="warn">
          <p>{clock} Logins and certificates may misbehave until it has found the time on the Internet.</p>
        </Notice>
      ) : null}
      <div class="cards">
        <div class="column">
          <SystemCard system={system} />
          {care ? (
            <>
              <StorageCard storage={care.storage} onStorage={pages.onStorage} />
              <NetworkCard network={care.network} now={system.time_unix} onNetwork={pages.onNetwork} />
            </>
          ) : null}
        </div>
        <div class="column">
          <AppsCard apps={apps} onApps={pages.onApps} />
          <FilesCard onFiles={pages.onFiles} />
          <AccountCard user={user} onAccount={pages.onAccount} />
          {care ? (
            <>
              <BackupsCard backups={care.backups} now={system.time_unix} onBackups={pages.onBackups} />
              <UpdatesCard updates={care.updates} onUpdates={pages.onUpdates} />
              <PeopleCard onPeople={pages.onPeople} />
              <ServicesCard services={system.services} onLogs={pages.onLogs} />
              <PowerCard onPower={pages.onPower} />
            </>
          ) : null}
        </div>
      </div>
    </>
  );
}

/** The box in one line. Without an answer nothing is claimed. */
function Overall({ healthy, lost }: { healthy: boolean; lost: boolean }) {
  if (lost) return <StatusWord tone="off">No answer at the moment</StatusWord>;
  return healthy ? <StatusWord tone="good">Everything is running</StatusWord> : <StatusWord tone="bad">Something needs attention</StatusWord>;
}
