import { useState } from "preact/hooks";
import { api } from "../../api/client";
import type { BackupSettings } from "../../api/backups";
import type { Problems } from "../../logic/account";
import { askTrouble } from "../../logic/ask";
import { backupDraft, backupField, backupProblems, backupSettings, keepsSecret, type BackupDraft } from "../../logic/backupform";
import { clockWords, DAY_HOURS, everyWords } from "../../logic/backups";
import { AskForm } from "../../ui/askform";
import { Choice } from "../../ui/choice";
import { Field } from "../../ui/field";
import { Fold } from "../../ui/fold";
import { PlaceFields } from "../../ui/placefields";

interface Props {
  settings: BackupSettings;
  action: string;
  onDone: () => void;
  onLeave?: () => void;
}

const OFTEN = [6, 12, 24, 168];
const COUNTS = ["last", "daily", "weekly", "monthly"] as const;
const HOURS = Array.from({ length: 24 }, (_, hour) => hour * 60);

/** Where backups go, how often, and how many stay. */
export function BackupsForm({ settings, action, onDone, onLeave }: Props) {
  const offset = -new Date().getTimezoneOffset();
  const [draft, setDraft] = useState<BackupDraft>(() => backupDraft(settings, offset));
  const [problems, setProblems] = useState<Problems<keyof BackupDraft>>({});

  function edit(next: Partial<BackupDraft>) {
    setDraft((old) => ({ ...old, ...next }));
    setProblems((old) => Object.fromEntries(Object.entries(old).filter(([field]) => !(field in next))));
  }

  const count = (field: (typeof COUNTS)[number], label: string) => (
    <Field
      label={label}
      value={draft[field]}
      onValue={(value) => edit({ [field]: value })}
      error={problems[field]}
      input={{ inputMode: "numeric", autocomplete: "off" }}
    />
  );
  return (
    <AskForm
      action={action}
      progress="Keeping the settings."
      {...(onLeave ? { leave: "Cancel", onLeave, takesFocus: true } : {})}
      problems={() => backupProblems(draft, settings)}
      onProblems={setProblems}
      send={() => api.changeBackups(backupSettings(draft, settings, offset))}
      explain={(error) => askTrouble(error, backupField) as { field?: keyof BackupDraft; message: string }}
      onDone={onDone}
    >
      <PlaceFields draft={draft} problems={problems} onEdit={edit} secretStays={keepsSecret(draft, settings.target)} />
      <div class="pair">
        <Choice
          label="How often"
          value={String(draft.everyHours)}
          options={withValue(OFTEN, draft.everyHours).map((hours) => [String(hours), everyWords(hours)] as const)}
          onValue={(hours) => edit({ everyHours: Number(hours) })}
        />
        {draft.everyHours < DAY_HOURS ? null : (
          <Choice
            label="Not before"
            value={String(draft.atMinute)}
            options={withValue(HOURS, draft.atMinute).map((minute) => [String(minute), clockWords(minute)] as const)}
            onValue={(minute) => edit({ atMinute: Number(minute) })}
          />
        )}
      </div>
      <Fold title="How many stay" isOpen={false} isWrong={COUNTS.some((field) => problems[field] !== undefined)}>
        <p class="quiet">The newest ones, and one of each of the last days, weeks and months. Older ones are removed by the next backup.</p>
        <div class="counts">
          {count("last", "Newest")}
          {count("daily", "Days")}
          {count("weekly", "Weeks")}
          {count("monthly", "Months")}
        </div>
      </Fold>
    </AskForm>
  );
}

/** What somebody chose elsewhere is offered too. */
function withValue(offered: number[], value: number): number[] {
  return offered.includes(value) ? offered : [...offered, value].sort((one, other) => one - other);
}
