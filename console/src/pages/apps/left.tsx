import { useState } from "preact/hooks";
import { api } from "../../api/client";
import type { AppSummary } from "../../api/apps";
import { appTrouble } from "../../logic/apps";
import { ConfirmDialog } from "../../ui/dialog";
import { Notice } from "../../ui/status";

interface Props {
  title?: string;
  apps: AppSummary[];
  onInstall: (dataOf: string) => void;
  tell: (words: string) => Promise<void>;
}

/** Apps that were removed and whose data was kept. */
export function LeftCard({ title = "Removed, data kept", apps, onInstall, tell }: Props) {
  const [doomed, setDoomed] = useState<AppSummary>();
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();

  async function remove({ key, title }: AppSummary) {
    setBusy(true);
    setTrouble(undefined);
    try {
      await api.removeApp(key, "delete");
      await tell(`The data of ${title} is being deleted.`);
    } catch (error) {
      setTrouble(appTrouble(error));
    }
    setBusy(false);
    setDoomed(undefined);
  }

  return (
    <section class="card" aria-labelledby="left-title">
      <h2 id="left-title">{title}</h2>
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      <ul class="rows">
        {apps.map((app) => (
          <li class="row" key={app.key}>
            <div class="row-main">
              <span class="row-name app-name">{app.title}</span>
              <span class="quiet">Version {app.version}</span>
              <div class="row-acts">
                <button type="button" class="link" onClick={() => onInstall(app.key)}>
                  Install again<span class="unseen"> with the data of {app.title}</span>
                </button>
                <button type="button" class="link" onClick={() => setDoomed(app)}>
                  Delete its data<span class="unseen"> of {app.title}</span>
                </button>
              </div>
            </div>
          </li>
        ))}
      </ul>
      {doomed ? (
        <ConfirmDialog
          title={`Delete the data of ${doomed.title}?`}
          confirm="Delete for good"
          busy={busy}
          onConfirm={() => void remove(doomed)}
          onClose={() => setDoomed(undefined)}
        >
          <p>Everything that it had saved is gone then. It cannot be brought back: backups have no data of apps.</p>
        </ConfirmDialog>
      ) : null}
    </section>
  );
}
