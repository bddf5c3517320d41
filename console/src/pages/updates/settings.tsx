import { useState } from "preact/hooks";
import { api } from "../../api/client";
import type { UpdateSettings } from "../../api/updates";
import { ownZone } from "../../api/zone";
import { askTrouble } from "../../logic/ask";
import { clockWords } from "../../logic/backups";
import { updateDraft, updateSettings, type UpdateDraft } from "../../logic/updates";
import { AskForm } from "../../ui/askform";
import { Choice } from "../../ui/choice";

const HOURS = Array.from({ length: 24 }, (_, hour) => [String(hour), clockWords(hour * 60)] as const);
const MODES = [
  ["install", "Install and restart"],
  ["ask", "Tell me, I decide"],
  ["off", "Do not look for them"],
] as const;

/** Whether updates come by themselves, and when the box may restart. */
export function SettingsCard({ settings, tell }: { settings: UpdateSettings; tell: (words: string) => Promise<void> }) {
  const [draft, setDraft] = useState<UpdateDraft>(() => updateDraft(settings, ownZone(), Date.now()));
  const [problem, setProblem] = useState<string>();
  const edit = (next: Partial<UpdateDraft>) => setDraft((old) => ({ ...old, ...next }));

  return (
    <section class="card" aria-labelledby="automatic-title">
      <h2 id="automatic-title">By themselves</h2>
      <AskForm
        action="Save"
        progress="Keeping the settings."
        problems={() => (draft.fromHour === draft.toHour ? { toHour: "The box needs some time to restart in." } : {})}
        onProblems={(problems: { toHour?: string }) => setProblem(problems.toHour)}
        send={() => api.changeUpdates(updateSettings(draft, settings, ownZone()))}
        explain={(error) => askTrouble(error, () => undefined) as { message: string }}
        onDone={() => void tell("The settings of updates are kept.")}
      >
        <Choice label="New versions" value={draft.mode} options={MODES} onValue={(mode) => edit({ mode: mode as UpdateDraft["mode"] })} />
        {draft.mode === "install" ? (
          <div class="pair">
            <Choice label="Restart from" value={String(draft.fromHour)} options={HOURS} onValue={(hour) => edit({ fromHour: Number(hour) })} />
            <Choice label="Until" value={String(draft.toHour)} options={HOURS} onValue={(hour) => edit({ toHour: Number(hour) })} />
          </div>
        ) : null}
        {problem ? <p class="field-error">{problem}</p> : null}
      </AskForm>
      <p class="quiet">Times are those of this device ({ownZone().replaceAll("_", " ")}). A new version that is not healthy is taken back by itself.</p>
    </section>
  );
}
