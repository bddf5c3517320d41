import { useState } from "preact/hooks";
import { api } from "../../api/client";
import type { AppView } from "../../api/apps";
import { appTrouble, isSettled } from "../../logic/apps";
import { splitAsks, switched } from "../../logic/permissions";
import { AskList, PermissionSwitches } from "../../ui/permissions";
import { Notice } from "../../ui/status";

/** What the app may, with a switch for each; a change holds at once. */
export function PermissionsCard({ app, again }: { app: AppView; again: () => Promise<void> }) {
  /** What was switched and has no answer yet. */
  const [wished, setWished] = useState<string[]>();
  const [trouble, setTrouble] = useState<string>();
  const { choices, facts } = splitAsks(app.asks);
  const granted = wished ?? app.granted;
  const cannot = wished !== undefined || !app.may_manage || !isSettled(app);

  async function toggle(name: string) {
    const next = switched(app.granted, name);
    setWished(next);
    setTrouble(undefined);
    try {
      await api.permitApp(app.key, next);
    } catch (error) {
      setTrouble(appTrouble(error));
    }
    await again();
    setWished(undefined);
  }

  return (
    <section class="card" aria-labelledby="permissions-title">
      <h2 id="permissions-title">What it may do</h2>
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      {choices.length === 0 ? (
        <p>It has no access to anything but its own data.</p>
      ) : (
        <>
          {app.may_manage ? (
            <p class="quiet">
              {isSettled(app) ? "What you switch off ends at once." : "You can change this once what is being done to the app has ended."}
            </p>
          ) : null}
          <PermissionSwitches choices={choices} has={(name) => granted.includes(name)} disabled={cannot} onToggle={(name) => void toggle(name)} />
        </>
      )}
      {facts.length > 0 ? (
        <>
          <h3>Good to know</h3>
          <AskList asks={facts} />
        </>
      ) : null}
    </section>
  );
}
