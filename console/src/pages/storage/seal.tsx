import { api } from "../../api/client";
import type { StorageReport } from "../../api/types";
import { needsSeal } from "../../logic/storage";
import { hasNoChip } from "../../logic/volume";
import { PasswordTask } from "./password";

/** Lets the box open the data by itself again, as it is started now. */
export function SealCard({ storage, onSealed }: { storage: StorageReport; onSealed: () => void }) {
  if (storage.unlock.state !== "opened") return null;
  // Without a chip there is nothing to seal it to; after the recovery key somebody may have changed to a board with one.
  if (hasNoChip(storage) && !needsSeal(storage)) return null;
  const needed = needsSeal(storage);
  return (
    <section class="card" aria-labelledby="seal-title">
      <h2 id="seal-title">Seal anew</h2>
      <p>
        {needed
          ? "The recovery key opened the data this time. If you know why, because you changed the hardware or its firmware, seal it to the box as it is now: then it opens by itself again."
          : "Binds the data to this box as it is started now. Only needed after a change that would lock it, such as of Secure Boot."}
      </p>
      <PasswordTask
        action="Seal anew"
        progress="Sealing the key. This takes a moment."
        done="The data is sealed anew. At the next start this box opens it by itself."
        isUrgent={needed}
        act={api.seal}
        onDone={onSealed}
      />
    </section>
  );
}
