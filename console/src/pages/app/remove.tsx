import { useState } from "preact/hooks";
import { api } from "../../api/client";
import type { AppView } from "../../api/apps";
import { appTrouble } from "../../logic/apps";
import { ConfirmDialog } from "../../ui/dialog";
import { Notice } from "../../ui/status";

const TEXTS = {
  keep: {
    confirm: "Remove",
    text: "It stops and goes. What it has saved stays on this box, takes up its room, and waits until you install the app again or delete it.",
  },
  delete: {
    confirm: "Delete for good",
    text: "It stops and goes, and everything that it has saved is gone for good. It cannot be brought back: backups have no data of apps.",
  },
};

interface Props {
  app: AppView;
  again: () => Promise<void>;
  /** Leads to the top of the page, where its progress is. */
  tell: () => void;
}

/** Takes the app away, with or without its data. */
export function RemoveCard({ app, again, tell }: Props) {
  const [asked, setAsked] = useState<"keep" | "delete">();
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const isForAll = app.scope === "system";

  async function remove(data: "keep" | "delete") {
    setBusy(true);
    setTrouble(undefined);
    try {
      await api.removeApp(app.key, data);
      setAsked(undefined);
      tell();
    } catch (error) {
      setTrouble(appTrouble(error));
      setAsked(undefined);
    }
    await again();
    setBusy(false);
  }

  return (
    <section class="card" aria-labelledby="remove-title">
      <h2 id="remove-title">Remove it</h2>
      <p>You choose whether what it has saved stays on this box.</p>
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      <div class="actions actions-start">
        <button type="button" class="button button-quiet" onClick={() => setAsked("keep")}>
          Remove, keep its data…
        </button>
        <button type="button" class="button button-quiet" onClick={() => setAsked("delete")}>
          Remove with its data…
        </button>
      </div>
      {asked ? (
        <ConfirmDialog
          title={asked === "keep" ? `Remove ${app.title}?` : `Remove ${app.title} and its data?`}
          confirm={TEXTS[asked].confirm}
          busy={busy}
          onConfirm={() => void remove(asked)}
          onClose={() => setAsked(undefined)}
        >
          <p>{TEXTS[asked].text}</p>
          {isForAll ? <p>It is gone for everybody at home.</p> : null}
        </ConfirmDialog>
      ) : null}
    </section>
  );
}
