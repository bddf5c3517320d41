import { useEffect, useId, useRef } from "preact/hooks";
import type { ComponentChildren } from "preact";

interface Props {
  title: string;
  confirm: string;
  onConfirm: () => void;
  onClose: () => void;
  busy?: boolean;
  children: ComponentChildren;
}

/** Asks before something that interrupts others. The browser's own modal dialog keeps focus inside and closes on Escape. */
export function ConfirmDialog({ title, confirm, onConfirm, onClose, busy, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={titleId} onCancel={onClose} onClose={onClose}>
      <h2 id={titleId}>{title}</h2>
      {children}
      <div class="actions">
        {/* First in order and thus focused: the harmless choice. */}
        <button type="button" class="button button-quiet" onClick={onClose}>
          Cancel
        </button>
        <button type="button" class="button" disabled={busy} onClick={onConfirm}>
          {confirm}
        </button>
      </div>
    </dialog>
  );
}
