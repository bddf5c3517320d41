import { useCallback, useEffect, useState } from "preact/hooks";
import { api, ApiError } from "../api/client";
import type { Network, Status, StorageReport, System, User } from "../api/types";
import { clockProblem, greeting } from "../logic/format";
import type { Power } from "../logic/power";
import { ConnectionNotice } from "../ui/lost";
import { Brand } from "../ui/mark";
import { Heading, useTitle } from "../ui/page";
import { usePoll } from "../ui/poll";
import { Reasons } from "../ui/reasons";
import { Notice, Progress, StatusWord } from "../ui/status";
import { Trial } from "./network/trial";
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
  onFiles: () => void;
  onAccount: () => void;
  onPower: (kind: Power["kind"]) => void;
}

interface Box {
  status: Status;
  system: System;
  /** Why it is not known, when the box's network service is away; the rest of the page then still stands. */
  network: Network | ApiError;
  /** The same of the keys of the data. */
  storage: StorageReport | ApiError;
  /** When this was so, in milliseconds of this device's clock. */
  at: number;
}

async function askBox(): Promise<Box> {
  const [status, system, network, storage] = await Promise.all([api.status(), api.system(), orAway(api.networkLinks()), orAway(api.storage())]);
  return { status, system, network, storage, at: Date.now() };
}

/** What a service does not tell is told in its own place; only a session that has ended concerns the whole page. */
function orAway<T>(asked: Promise<T>): Promise<T | ApiError> {
  return asked.catch((error: unknown) => {
    if (error instanceof ApiError && error.status !== 401) return error;
    throw error;
  });
}

/** How the box is doing. */
export function HomePage({ user, onLoggedOut, onLogs, onNetwork, onStorage, onFiles, onAccount, onPower }: Props) {
  const poll = usePoll(askBox, REFRESH_MS);
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
            <Overview box={box} lost={poll.lost} user={user} onLogs={onLogs} onNetwork={onNetwork} onStorage={onStorage} onFiles={onFiles} onAccount={onAccount} onPower={onPower} />
            {/* Who had to log in at another address, because of the change, arrives here. */}
            {box.network instanceof ApiError ? null : <Trial left={box.network.trial_seconds_left} at={box.at} onKept={poll.again} />}
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

function Overview({ box: { status, system, network, storage }, lost, user, onLogs, onNetwork, onStorage, onFiles, onAccount, onPower }: OverviewProps) {
  const clock = clockProblem(system.time_unix, Date.now() / 1000);
  return (
    <>
      <p class="lead headline">
        <span>
          <strong>{status.hostname}</strong>.local
        </span>
        <Overall healthy={status.state === "ready"} lost={lost} />
      </p>
      <Reasons title="The box works, but not everything is as it should be:" reasons={status.reasons} />
      {clock ? (
        <Notice kind="warn">
          <p>{clock} Logins and certificates may misbehave until it has found the time on the Internet.</p>
        </Notice>
      ) : null}
      <div class="cards">
        <div class="column">
          <SystemCard system={system} />
          <StorageCard storage={storage} onStorage={onStorage} />
          <NetworkCard network={network} now={system.time_unix} onNetwork={onNetwork} />
        </div>
        <div class="column">
          <section class="card" aria-labelledby="files-title">
            <div class="card-head">
              <h2 id="files-title">Private files</h2>
              <button type="button" class="link" onClick={onFiles}>
                Show them
              </button>
            </div>
            <p class="quiet">Only you can open them, with your password. Nobody else can, not even whoever runs the box.</p>
          </section>
          <section class="card" aria-labelledby="account-title">
            <div class="card-head">
              <h2 id="account-title">Your account</h2>
              <button type="button" class="link" onClick={onAccount}>
                Change password
              </button>
            </div>
            <p class="quiet">
              You log in as <strong class="account-name">{user.name}</strong>.
            </p>
          </section>
          <ServicesCard services={system.services} onLogs={onLogs} />
          {user.role === "owner" ? <PowerCard onPower={onPower} /> : null}
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
