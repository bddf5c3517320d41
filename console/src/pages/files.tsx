import { useCallback, useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import type { PrivateFile, User, Vault } from "../api/types";
import { openedWords, openProblem, vaultWords, vaultWork } from "../logic/vault";
import { ConnectionNotice } from "../ui/lost";
import { Brand } from "../ui/mark";
import { Heading, useTitle } from "../ui/page";
import { usePoll } from "../ui/poll";
import { RecoveryFlow } from "../ui/recovery";
import { Notice, Progress, StatusWord, WorkBar } from "../ui/status";
import { AnewCard } from "./files/anew";
import { CodeCard } from "./files/code";
import { FilesCard } from "./files/list";
import { LockCard } from "./files/lock";
import { OpenCard } from "./files/open";
import { SendingReport, useSending, type Sender } from "./files/sending";

const REFRESH_MS = 15_000;
/** While the box works on the files. */
const BUSY_MS = 2000;

interface Props {
  user: User;
  onHome: () => void;
  onLoggedOut: () => void;
}

interface Known {
  vault: Vault;
  files: PrivateFile[];
  hostname: string;
}

async function askBox(): Promise<Known> {
  const [vault, { hostname }] = await Promise.all([api.vault(), api.status()]);
  return { vault, files: vault.state === "open" ? (await api.privateFiles()).files : [], hostname };
}

/** The files in the vault of whoever is logged in, and what opens it. */
export function FilesPage({ user, onHome, onLoggedOut }: Props) {
  const poll = usePoll(askBox, REFRESH_MS);
  const [task, setTask] = useState<"password" | "typing">();
  const [done, setDone] = useState<string>();
  /** Counts what was done: other cards are shown then, and the focus goes to their heading. */
  const [turn, setTurn] = useState(0);
  useTitle("Private files");

  const loggedOut = poll.refusal?.status === 401;
  useEffect(() => {
    if (loggedOut) onLoggedOut();
  }, [loggedOut, onLoggedOut]);

  const { again } = poll;
  const busy = poll.data?.vault.state === "busy";
  useEffect(() => {
    if (!busy) return undefined;
    const timer = setInterval(() => void again(), BUSY_MS);
    return () => {
      clearInterval(timer);
      // What was told when it began is over.
      setDone(undefined);
    };
  }, [busy, again]);

  const sender = useSending(again);
  const tell = useCallback(
    (words?: string) => {
      setTask(undefined);
      setDone(words);
      setTurn((before) => before + 1);
      scrollTo(0, 0);
      void again();
    },
    [again],
  );
  const onLater = useCallback(() => tell(), [tell]);
  const onChecked = useCallback(() => tell("The recovery code is right. Keep the paper safe; an earlier one no longer opens anything."), [tell]);

  const known = poll.data;
  if (task && known) {
    return <RecoveryFlow makes="code" hostname={known.hostname} userName={user.name} start={task} later="Not now" onLater={onLater} onDone={onChecked} />;
  }
  return (
    <div class="page">
      <header class="page-head">
        <Brand />
        <button type="button" class="button button-quiet button-small" onClick={onHome}>
          Back to home
        </button>
      </header>
      <main>
        <Heading turn={turn}>Private files</Heading>
        {poll.refusal && !loggedOut ? (
          <Notice kind="bad" urgent>
            <p>{poll.refusal.message}</p>
          </Notice>
        ) : null}
        {done ? (
          <Notice kind="info" urgent>
            <p>{done}</p>
          </Notice>
        ) : null}
        {known === undefined ? (
          <Progress reason="Asking the box for your files." />
        ) : (
          <Cards {...known} {...{ user, sender, again, tell }} onTask={setTask} />
        )}
      </main>
      <ConnectionNotice lost={poll.lost} trying={poll.trying} again={again} />
    </div>
  );
}

interface CardsProps extends Known {
  user: User;
  sender: Sender;
  again: () => Promise<void>;
  /** Shows on top what has come of something, and asks the box again. */
  tell: (words?: string) => void;
  onTask: (task: "password" | "typing") => void;
}

function Cards({ vault, files, user, sender, again, tell, onTask }: CardsProps) {
  switch (vault.state) {
    case "open":
      return (
        <div class="cards">
          <div class="column">
            <UnopenedNotice vault={vault} />
            <FilesCard files={files} sender={sender} again={again} />
          </div>
          <div class="column">
            <LockCard vault={vault} onLocked={() => tell()} />
            <CodeCard vault={vault} onTask={onTask} />
          </div>
        </div>
      );
    case "locked":
      return (
        <div class="cards">
          <div class="column">
            {/* What was not sent because of the lock is told here. */}
            <SendingReport sender={sender} />
            <OpenCard vault={vault} user={user} onOpened={(opened) => tell(openedWords(opened))} />
          </div>
          <div class="column">
            <AnewCard user={user} onBegun={() => tell("You have a new, empty place for private files. Make a recovery code for it.")} />
          </div>
        </div>
      );
    case "busy":
    case "none": {
      const { word, tone, detail } = vaultWords(vault);
      const work = vaultWork(vault);
      return (
        <section class="card alone" aria-label={word}>
          <p>
            <StatusWord tone={tone}>{word}</StatusWord>
          </p>
          <p>{detail}</p>
          {work ? <WorkBar {...work} /> : null}
        </section>
      );
    }
  }
}

/** Files from the backup of a restored box that are not here. */
function UnopenedNotice({ vault }: { vault: Vault }) {
  const problem = openProblem(vault);
  if (problem === undefined) return null;
  return (
    <Notice kind="warn">
      <p>{problem}</p>
      <p>The box tries again each time you open your files, and keeps what it has of them. If you have a copy, add it under the same name.</p>
    </Notice>
  );
}
