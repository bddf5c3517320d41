import { useState } from "preact/hooks";
import { api, ApiError } from "../../api/client";
import type { BackupSettings } from "../../api/backups";
import { keepWords, placeWords, scheduleWords } from "../../logic/backups";
import { ConfirmDialog } from "../../ui/dialog";
import { useEditing } from "../../ui/editing";
import { Notice } from "../../ui/status";
import { BackupsForm } from "./form";

interface Props {
  settings: BackupSettings;
  /** Shows on top what has come of something, and asks the box again. */
  tell: (words?: string) => Promise<void>;
}

/** Where backups go, how often and how many; and changing that. */
export function PlaceCard({ settings, tell }: Props) {
  const { isOpen, open, close, opener } = useEditing();
  const [asked, setAsked] = useState(false);
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const { target, schedule, keep } = settings;
  if (target === null) return null;

  async function end() {
    setBusy(true);
    setTrouble(undefined);
    try {
      await api.changeBackups({ ...settings, target: null });
      await tell("No backups are made any more. Those that were made stay where they are.");
    } catch (error) {
      setTrouble(error instanceof ApiError ? error.message : "The box did not answer. Look at this page again in a moment.");
      setBusy(false);
      setAsked(false);
    }
  }

  return (
    <section class="card" aria-labelledby="place-title">
      <h2 id="place-title">Where and when</h2>
      {isOpen ? (
        <BackupsForm settings={settings} action="Save" onDone={() => void tell("The box has the new settings.").then(close)} onLeave={close} />
      ) : (
        <>
          <dl class="rows ends">
            <div class="row">
              <dt>Where</dt>
              <dd>{placeWords(target)}</dd>
            </div>
            <div class="row">
              <dt>How often</dt>
              <dd>{scheduleWords(schedule, -new Date().getTimezoneOffset())}</dd>
            </div>
            <div class="row">
              <dt>What stays</dt>
              <dd>{keepWords(keep)}</dd>
            </div>
          </dl>
          {trouble ? (
            <Notice kind="bad" urgent>
              <p>{trouble}</p>
            </Notice>
          ) : null}
          <div class="actions actions-start">
            <button ref={opener} type="button" class="button button-quiet" onClick={open}>
              Change…
            </button>
            <button type="button" class="button button-quiet" onClick={() => setAsked(true)}>
              Stop backups…
            </button>
          </div>
        </>
      )}
      {asked ? (
        <ConfirmDialog title="Make no more backups?" confirm="Stop backups" busy={busy} onConfirm={() => void end()} onClose={() => setAsked(false)}>
          <p>Those that were made stay where they are, and the recovery kit opens them. The box forgets the access to the place.</p>
        </ConfirmDialog>
      ) : null}
    </section>
  );
}
