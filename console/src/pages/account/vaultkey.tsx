import { api } from "../../api/client";
import { vaultWords, vaultWork } from "../../logic/vault";
import { usePoll } from "../../ui/poll";
import { WorkBar } from "../../ui/status";
import { PasswordTask } from "../storage/password";

const LOOK_MS = 2000;

/** Another key for the private files of whoever is logged in, and how far that is. */
export function VaultKeyCard() {
  const { data: vault, again } = usePoll(api.vault, LOOK_MS);
  if (vault === undefined || vault.state === "none") return null;
  const work = vaultWork(vault);
  return (
    <section class="card" aria-labelledby="vault-key-title">
      <h2 id="vault-key-title">Key of your private files</h2>
      {work ? (
        <>
          <p>{vaultWords(vault).detail}</p>
          <WorkBar {...work} />
        </>
      ) : (
        <>
          <p>
            Change it when your password or your recovery code was in wrong hands, once you have replaced it. All your files on the box are encrypted
            anew; what somebody copied before opens none of them. What is in backups keeps the key it has.
          </p>
          {vault.state === "open" ? (
            <PasswordTask
              action="Change the key of my files"
              progress="Making the new key."
              done="Your private files get another key."
              act={api.rotateVault}
              onDone={() => void again()}
            />
          ) : (
            <p class="quiet">For this your files must be open: go to Private files.</p>
          )}
        </>
      )}
    </section>
  );
}
