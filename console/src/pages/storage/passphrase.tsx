import { useState } from "preact/hooks";
import type { StorageReport } from "../../api/types";
import { hasRecoveryKey } from "../../logic/storage";
import { hasNoChip, hasPassphrase } from "../../logic/volume";
import { useEditing } from "../../ui/editing";
import { PassphraseForm } from "../../ui/passphraseform";
import { Notice } from "../../ui/status";

interface Props {
  storage: StorageReport;
  userName: string;
  onSet: () => void;
}

/** On a box without security chip: a passphrase at each start, in place of a key on the same disk. */
export function PassphraseCard({ storage, userName, onSet }: Props) {
  const { isOpen, open, close, opener } = useEditing();
  const [done, setDone] = useState(false);
  if (storage.unlock.state !== "opened" || !hasNoChip(storage)) return null;
  const has = hasPassphrase(storage);
  return (
    <section class="card" aria-labelledby="passphrase-title">
      <h2 id="passphrase-title">Ask at each start</h2>
      {has ? (
        <p>The box asks for it at every start, at the address of this page. Until somebody types it, the box does nothing else.</p>
      ) : (
        <>
          <Notice kind="warn">
            <p>Until there is one, the key lies on the same disk as the data: it protects nothing from whoever takes the disk or card.</p>
          </Notice>
          <p>
            With a passphrase the box asks for it at every start, also after a power cut. Until somebody types it, the box does nothing else. It does
            not go back to opening by itself.
          </p>
        </>
      )}
      {done ? (
        <Notice kind="info" urgent>
          <p>From the next start on, the box asks for the new passphrase. The recovery key opens the data too.</p>
        </Notice>
      ) : null}
      {!hasRecoveryKey(storage) ? (
        <p class="quiet">For this a recovery key must be on paper: a passphrase can be forgotten. Make one first.</p>
      ) : isOpen ? (
        <PassphraseForm
          action={has ? "Change it" : "Set it"}
          userName={userName}
          leave="Cancel"
          onLeave={close}
          onDone={() => {
            close();
            setDone(true);
            onSet();
          }}
        />
      ) : (
        <div class="actions actions-start">
          <button
            ref={opener}
            type="button"
            class={has ? "button button-quiet" : "button"}
            onClick={() => {
              setDone(false);
              open();
            }}
          >
            {has ? "Change the passphrase…" : "Set a passphrase…"}
          </button>
        </div>
      )}
    </section>
  );
}
