import { api } from "../../api/client";
import type { StorageReport } from "../../api/types";
import { PasswordTask } from "./password";

/** Puts a new key in the place of the one that the box keeps its stores' keys under. */
export function RotateCard({ storage, onRotated }: { storage: StorageReport; onRotated: () => void }) {
  if (storage.unlock.state !== "opened") return null;
  return (
    <section class="card" aria-labelledby="rotate-title">
      <h2 id="rotate-title">System key</h2>
      <p>Under it the box keeps the keys of its own stores. Change it if somebody may have read the disk while it was open. Nothing else changes.</p>
      <PasswordTask
        action="Change the key"
        progress="Changing the key. This takes a moment."
        done="The box has a new system key."
        act={api.rotateSystemKey}
        onDone={onRotated}
      />
    </section>
  );
}
