import { useEffect, useState } from "preact/hooks";
import type { ComponentChildren, RefObject } from "preact";
import { ApiError, Unreachable } from "../../api/client";
import type { NetworkSettings } from "../../api/types";
import { explainFailure } from "../../logic/failure";
import { Notice } from "../../ui/status";

/**
 * Tries changed settings; fails with what the box refuses. `edit` gets what the box has now. `elsewhere`: where the console is after
 * the change.
 */
export type Change = (edit: (now: NetworkSettings) => NetworkSettings, elsewhere?: string) => Promise<void>;

interface Props {
  form: RefObject<HTMLFormElement | null>;
  class?: string;
  label: string;
  /** What the button says that tries the settings. */
  action: string;
  /** Shows what is wrong with what was typed, and says whether something is. */
  isWrong: () => boolean;
  save: () => Promise<void>;
  /** Shows what the box refuses at the field it means; false when it means none of this form. */
  showRefusal: (error: ApiError) => boolean;
  /** What stands above the buttons as long as nothing went wrong. */
  warning?: ComponentChildren;
  /** What stands with the words that the box does not answer. */
  whenLost?: ComponentChildren;
  onClose: () => void;
  children: ComponentChildren;
}

/** A form that tries settings. It opens with the focus on its first field, and moves it to the first one at fault. */
export function SettingsForm({ form, label, action, isWrong, save, showRefusal, warning, whenLost, onClose, children, ...rest }: Props) {
  const [trouble, setTrouble] = useState<{ words: string; isLost: boolean }>();
  const [busy, setBusy] = useState(false);
  useEffect(() => form.current?.querySelector<HTMLElement>("input, select, button")?.focus(), [form]);

  function goToFault() {
    // After the errors are drawn.
    setTimeout(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
  }

  async function submit() {
    setTrouble(undefined);
    if (isWrong()) return goToFault();
    setBusy(true);
    try {
      await save();
      onClose();
    } catch (error) {
      setBusy(false);
      if (error instanceof ApiError && showRefusal(error)) goToFault();
      else setTrouble({ words: explainFailure(error), isLost: error instanceof Unreachable });
    }
  }

  return (
    <form
      {...rest}
      ref={form}
      aria-label={label}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy) void submit();
      }}
    >
      {children}
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble.words}</p>
          {trouble.isLost ? whenLost : null}
        </Notice>
      ) : (
        warning
      )}
      <p class="quiet">The box tries the change for a minute and goes back unless you keep it, so a slip cannot lock you out.</p>
      <div class="actions">
        <button type="button" class="button button-quiet" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" class="button" aria-disabled={busy}>
          {action}
        </button>
      </div>
    </form>
  );
}
