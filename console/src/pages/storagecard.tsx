import { ApiError } from "../api/client";
import type { StorageReport } from "../api/types";
import { hasRecoveryKey, opening } from "../logic/storage";
import { StatusWord } from "../ui/status";

/** How the encrypted data was opened, and whether somebody can open it when the box cannot. */
export function StorageCard({ storage, onStorage }: { storage: StorageReport | ApiError; onStorage: () => void }) {
  return (
    <section class="card" aria-labelledby="storage-title">
      <div class="card-head">
        <h2 id="storage-title">Encrypted data</h2>
        <button type="button" class="link" onClick={onStorage}>
          Keys, recovery
        </button>
      </div>
      {storage instanceof ApiError ? <p class="quiet">{storage.message}</p> : <Known storage={storage} onStorage={onStorage} />}
    </section>
  );
}

function Known({ storage, onStorage }: { storage: StorageReport; onStorage: () => void }) {
  const { word, tone } = opening(storage);
  return (
    <>
      <p>
        <StatusWord tone={tone}>{word}</StatusWord>
      </p>
      {hasRecoveryKey(storage) ? (
        <p class="quiet">A recovery key is on paper.</p>
      ) : (
        <>
          <p>Nobody has a recovery key yet. If this box breaks, nobody can read the disk any more.</p>
          <button type="button" class="button button-small" onClick={onStorage}>
            Make a recovery key
          </button>
        </>
      )}
    </>
  );
}
