import { useState } from "preact/hooks";
import { api, ApiError } from "../../api/client";
import type { Vault } from "../../api/types";
import { vaultWords } from "../../logic/vault";
import { Notice, StatusWord } from "../../ui/status";

/** Whether the files are open, and locking them at once. */
export function LockCard({ vault, onLocked }: { vault: Vault; onLocked: () => void }) {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const { word, tone, detail } = vaultWords(vault);

  async function lock() {
    setBusy(true);
    setTrouble(undefined);
    try {
      await api.lockVault();
      onLocked();
    } catch (error) {
      setTrouble(error instanceof ApiError ? error.message : "The box did not answer, so your files are perhaps still open. Try again in a moment.");
    }
    setBusy(false);
  }

  return (
    <section class="card" aria-labelledby="lock-title">
      <div class="card-head">
        <h2 id="lock-title">Lock</h2>
        <StatusWord tone={tone}>{word}</StatusWord>
      </div>
      <p>{detail}</p>
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      <div class="actions actions-start">
        <button type="button" class="button button-quiet" aria-disabled={busy} onClick={() => (busy ? undefined : void lock())}>
          Lock now
        </button>
      </div>
    </section>
  );
}
