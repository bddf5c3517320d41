import { useState } from "preact/hooks";
import { api, ApiError } from "../../api/client";
import type { StorageReport } from "../../api/types";
import { needsSeal } from "../../logic/storage";
import { PasswordField } from "../../ui/field";
import { Notice, Progress } from "../../ui/status";

/** Lets the box open the data by itself again, as it is started now. */
export function SealCard({ storage, onSealed }: { storage: StorageReport; onSealed: () => void }) {
  const [password, setPassword] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  if (storage.unlock.state !== "opened") return null;
  const needed = needsSeal(storage);

  async function seal(withPassword: string) {
    setBusy(true);
    setTrouble(undefined);
    try {
      await api.seal(withPassword);
      setPassword(undefined);
      onSealed();
    } catch (error) {
      setTrouble(error instanceof ApiError ? error.message : "The box did not answer. Try again in a moment.");
    }
    setBusy(false);
  }

  return (
    <section class="card" aria-labelledby="seal-title">
      <h2 id="seal-title">Seal anew</h2>
      <p>
        {needed
          ? "The recovery key opened the data this time. If you know why, because you changed the hardware or its firmware, seal it to the box as it is now: then it opens by itself again."
          : "Binds the data to this box as it is started now. Only needed after a change that would lock it, such as of Secure Boot."}
      </p>
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      {password === undefined ? (
        <div class="actions actions-start">
          <button type="button" class={needed ? "button" : "button button-quiet"} onClick={() => setPassword("")}>
            Seal anew…
          </button>
        </div>
      ) : (
        <form
          noValidate
          onSubmit={(event) => {
            event.preventDefault();
            if (!busy && password !== "") void seal(password);
          }}
        >
          <PasswordField label="Your password" autocomplete="current-password" value={password} onValue={setPassword} />
          {busy ? <Progress reason="Sealing the key. This takes a moment." /> : null}
          <div class="actions">
            <button type="button" class="button button-quiet" onClick={() => setPassword(undefined)}>
              Cancel
            </button>
            <button type="submit" class="button" aria-disabled={busy || password === ""}>
              Seal anew
            </button>
          </div>
        </form>
      )}
    </section>
  );
}
