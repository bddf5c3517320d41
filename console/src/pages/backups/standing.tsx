import { useState } from "preact/hooks";
import { api, ApiError } from "../../api/client";
import type { Backups } from "../../api/backups";
import { ago, backupVerdict, capital, endWords, movingWords, nextWords } from "../../logic/backups";
import { Reasons } from "../../ui/reasons";
import { Notice, Progress, ProgressBar, StatusWord } from "../../ui/status";

interface Props {
  backups: Backups;
  now: number;
  again: () => Promise<void>;
}

/** How the backups are, making one at once, and proving the newest one. */
export function StandingCard({ backups, now, again }: Props) {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const { word, tone } = backupVerdict(backups);
  const { running, last_success: newest, last_backup: backup, last_drill: drill } = backups;
  const cannot = busy || running !== null;

  async function begin(ask: () => Promise<void>) {
    setBusy(true);
    setTrouble(undefined);
    try {
      await ask();
    } catch (error) {
      setTrouble(error instanceof ApiError ? error.message : "The box did not answer, so perhaps nothing has begun. Try again in a moment.");
    }
    await again();
    setBusy(false);
  }

  return (
    <section class="card" aria-labelledby="standing-title">
      <div class="card-head">
        <h2 id="standing-title">How they are</h2>
        <StatusWord tone={tone}>{word}</StatusWord>
      </div>
      <Reasons title="What to know" reasons={backups.problems} />
      {running ? <Running task={running} /> : null}
      <dl class="rows ends">
        <Row name="Newest backup">{newest === null ? "None yet" : capital(ago(newest, now))}</Row>
        <Row name="Last backup">{backup ? endWords(backup, now) : "None yet"}</Row>
        <Row name="Last proof">{drill ? endWords(drill, now) : "None yet"}</Row>
        <Row name="Next one">{nextWords(backups, now)}</Row>
      </dl>
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      <div class="actions actions-start">
        <button type="button" class="button" aria-disabled={cannot} onClick={() => (cannot ? undefined : void begin(api.runBackup))}>
          Back up now
        </button>
        <button
          type="button"
          class="button button-quiet"
          aria-disabled={cannot || newest === null}
          onClick={() => (cannot || newest === null ? undefined : void begin(api.drillBackup))}
        >
          Prove it
        </button>
      </div>
      <p class="quiet">
        Proving restores the newest backup to a scratch place on the box and compares every byte. The box does it by itself every 30 days, and reads
        a part of everything again with each backup.
      </p>
    </section>
  );
}

function Running({ task }: { task: NonNullable<Backups["running"]> }) {
  const { text, percent } = movingWords(task);
  return percent === undefined ? (
    <Progress reason={text} />
  ) : (
    <ProgressBar label={task.work === "backup" ? "The backup" : "The proof"} percent={percent} text={text} />
  );
}

function Row({ name, children }: { name: string; children: string }) {
  return (
    <div class="row">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
