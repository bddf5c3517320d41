import { useCallback, useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import type { HealthReport, StorageReport, User } from "../api/types";
import { hasRecoveryKey, keyName, keyWords, opening } from "../logic/storage";
import { ConnectionNotice } from "../ui/lost";
import { Brand } from "../ui/mark";
import { Heading, useTitle } from "../ui/page";
import { usePoll } from "../ui/poll";
import { Reasons } from "../ui/reasons";
import { RecoveryFlow } from "../ui/recovery";
import { Notice, Progress, StatusWord } from "../ui/status";
import { HealthCard } from "./storage/health";
import { PassphraseCard } from "./storage/passphrase";
import { ErasedPage, ResetCard } from "./storage/reset";
import { RotateCard } from "./storage/rotate";
import { SealCard } from "./storage/seal";
import { VolumeCard } from "./storage/volume";

const REFRESH_MS = 5000;

interface Props {
  user: User;
  onHome: () => void;
  onLoggedOut: () => void;
}

interface Known {
  storage: StorageReport;
  health: HealthReport;
  hostname: string;
}

async function askBox(): Promise<Known> {
  const [storage, health, { hostname }] = await Promise.all([api.storage(), api.storageHealth(), api.status()]);
  return { storage, health, hostname };
}

/** How the encrypted data was opened, what opens it, new keys for it, and how the disk under it is. */
export function StoragePage({ user, onHome, onLoggedOut }: Props) {
  const poll = usePoll(askBox, REFRESH_MS);
  const [task, setTask] = useState<"password" | "typing">();
  const [done, setDone] = useState<string>();
  const [erased, setErased] = useState(false);
  useTitle("Encrypted data");

  const loggedOut = poll.refusal?.status === 401;
  useEffect(() => {
    // A box that is being erased knows nobody any more, and is not one to log in to.
    if (loggedOut && !erased) onLoggedOut();
  }, [loggedOut, erased, onLoggedOut]);

  const { again } = poll;
  const leave = useCallback(
    (words?: string) => {
      setTask(undefined);
      setDone(words);
      scrollTo(0, 0);
      void again();
    },
    [again],
  );
  const onLater = useCallback(() => leave(), [leave]);
  const onChecked = useCallback(() => leave("The new recovery key is right. Keep the paper safe; an earlier one no longer opens anything."), [leave]);
  const look = useCallback(() => void again(), [again]);

  const known = poll.data;
  if (erased) return <ErasedPage />;
  if (task && known) {
    return <RecoveryFlow makes="key" hostname={known.hostname} start={task} later="Not now" onLater={onLater} onDone={onChecked} />;
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
        <Heading>Encrypted data</Heading>
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
        {known ? (
          <div class="cards">
            <div class="column">
              <OpeningCard storage={known.storage} />
              <KeysCard storage={known.storage} />
              <HealthCard health={known.health} />
            </div>
            {user.role === "owner" ? (
              <div class="column">
                {/* While the disk gets another key, the box changes no other. */}
                {known.storage.rotation ? null : (
                  <>
                    <RecoveryCard storage={known.storage} onTask={setTask} />
                    <PassphraseCard storage={known.storage} userName={user.name} onSet={look} />
                    <SealCard storage={known.storage} onSealed={look} />
                  </>
                )}
                <VolumeCard storage={known.storage} userName={user.name} onBegun={look} />
                <RotateCard storage={known.storage} onRotated={look} />
                <ResetCard hostname={known.hostname} onErased={() => setErased(true)} />
              </div>
            ) : null}
          </div>
        ) : (
          <Progress reason="Asking the box for its keys." />
        )}
      </main>
      <ConnectionNotice lost={poll.lost} trying={poll.trying} again={poll.again} />
    </div>
  );
}

function OpeningCard({ storage }: { storage: StorageReport }) {
  const { word, tone, detail } = opening(storage);
  const reasons = storage.unlock.state === "failed" ? [] : storage.unlock.reasons;
  return (
    <section class="card" aria-labelledby="opening-title">
      <h2 id="opening-title">This start</h2>
      <p>
        <StatusWord tone={tone}>{word}</StatusWord>
      </p>
      {storage.unlock.state === "opened" && storage.unlock.by === "boot_key" ? (
        <Notice kind="warn">
          <p>{detail}</p>
        </Notice>
      ) : (
        <p>{detail}</p>
      )}
      <Reasons title="What the box says" reasons={reasons} />
      {storage.older_copies?.state === "unnoticed" ? (
        <p class="quiet">A disk that somebody puts back to an older copy is not noticed: {storage.older_copies.reason}.</p>
      ) : null}
    </section>
  );
}

function KeysCard({ storage: { keys } }: { storage: StorageReport }) {
  return (
    <section class="card" aria-labelledby="keys-title">
      <h2 id="keys-title">What opens it</h2>
      <ul class="rows">
        {keys.map((key, index) => (
          <li class="row" key={`${index}`}>
            <div class="row-main">
              <span class="row-name">{keyName(key.kind)}</span>
              <StatusWord tone={key.is_confirmed ? "good" : "busy"}>{key.is_confirmed ? "In use" : "Not checked yet"}</StatusWord>
              <p class="row-detail">{keyWords(key)}</p>
            </div>
          </li>
        ))}
      </ul>
      {keys.length === 0 ? <p class="quiet">The box does not say.</p> : null}
    </section>
  );
}

function RecoveryCard({ storage, onTask }: { storage: StorageReport; onTask: (task: "password" | "typing") => void }) {
  const has = hasRecoveryKey(storage);
  return (
    <section class="card" aria-labelledby="recovery-title">
      <h2 id="recovery-title">Recovery key</h2>
      {has ? (
        <p>Somebody has it on paper. Make a new one when the paper is lost, or somebody saw it who should not have: the old key then opens nothing more.</p>
      ) : (
        <Notice kind="warn">
          <p>Nobody has one yet. If this box breaks, nobody can read the disk any more, and neither can you.</p>
        </Notice>
      )}
      {storage.is_waiting_for_confirmation ? <p class="quiet">A key was made and nobody has typed its end back yet. Without that the box goes on as before.</p> : null}
      <div class="actions actions-start">
        <button type="button" class={has ? "button button-quiet" : "button"} onClick={() => onTask("password")}>
          {has ? "Make a new one" : "Make a recovery key"}
        </button>
        {storage.is_waiting_for_confirmation ? (
          <button type="button" class="button button-quiet" onClick={() => onTask("typing")}>
            I have it on paper
          </button>
        ) : null}
      </div>
    </section>
  );
}
