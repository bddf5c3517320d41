import { useState } from "preact/hooks";
import { api } from "../../api/client";
import type { StorageReport } from "../../api/types";
import type { Problems } from "../../logic/account";
import { hasRecoveryKey } from "../../logic/storage";
import { rotationWords, volumeProblems, volumeTrouble, type VolumeDraft } from "../../logic/volume";
import { AskForm } from "../../ui/askform";
import { useEditing } from "../../ui/editing";
import { Field, PasswordField } from "../../ui/field";
import { Notice, ProgressBar } from "../../ui/status";

interface Props {
  storage: StorageReport;
  userName: string;
  onBegun: () => void;
}

/** Encrypts the whole disk with another key, while the box is used. */
export function VolumeCard({ storage, userName, onBegun }: Props) {
  const { isOpen, open, close, opener } = useEditing();
  const rotation = rotationWords(storage);
  return (
    <section class="card" aria-labelledby="volume-title">
      <h2 id="volume-title">Key of the disk</h2>
      {rotation ? (
        <>
          <p>The disk is being encrypted with a new key. Use the box as ever; a restart or a power cut does no harm. Until it is through, no other key is changed.</p>
          {rotation.percent === undefined ? (
            <Notice kind="warn">
              <p>{rotation.text}</p>
            </Notice>
          ) : (
            <ProgressBar label="The new key" percent={rotation.percent} text={rotation.text} />
          )}
        </>
      ) : (
        <>
          <p>
            Under it everything on the disk is encrypted. Change it if somebody may have copied the beginning of the disk together with a key that opened
            it. It takes hours on a large disk; your recovery key stays as it is.
          </p>
          {!hasRecoveryKey(storage) ? (
            <p class="quiet">For this a recovery key must be on paper. Make one first.</p>
          ) : isOpen ? (
            <VolumeForm
              userName={userName}
              onLeave={close}
              onDone={() => {
                close();
                onBegun();
              }}
            />
          ) : (
            <div class="actions actions-start">
              <button ref={opener} type="button" class="button button-quiet" onClick={open}>
                Change the key of the disk…
              </button>
            </div>
          )}
        </>
      )}
    </section>
  );
}

function VolumeForm({ userName, onLeave, onDone }: { userName: string; onLeave: () => void; onDone: () => void }) {
  const [draft, setDraft] = useState<VolumeDraft>({ password: "", recoveryKey: "" });
  const [problems, setProblems] = useState<Problems<keyof VolumeDraft>>({});

  function edit(field: keyof VolumeDraft, value: string) {
    setDraft((old) => ({ ...old, [field]: value }));
    setProblems(({ [field]: _mended, ...rest }) => rest);
  }

  return (
    <AskForm
      action="Change it"
      progress="Trying the keys and writing the new one beside the old. This takes a moment."
      leave="Cancel"
      takesFocus
      userName={userName}
      problems={() => volumeProblems(draft)}
      onProblems={setProblems}
      send={() => api.rotateVolumeKey(draft.password, draft.recoveryKey)}
      explain={volumeTrouble}
      onDone={onDone}
      onLeave={onLeave}
    >
      <Field
        label="Recovery key"
        value={draft.recoveryKey}
        onValue={(value) => edit("recoveryKey", value)}
        error={problems.recoveryKey}
        hint="All nine groups from the paper, in capital or small letters, with or without dashes."
        rows={3}
        input={{ class: "code code-long", autocomplete: "off", autocapitalize: "none", spellcheck: false }}
      />
      <PasswordField
        label="Your password"
        autocomplete="current-password"
        value={draft.password}
        onValue={(value) => edit("password", value)}
        error={problems.password}
      />
    </AskForm>
  );
}
