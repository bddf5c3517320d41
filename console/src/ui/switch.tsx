import { useId } from "preact/hooks";
import type { ComponentChildren } from "preact";

interface Props {
  label: string;
  on: boolean;
  disabled?: boolean;
  onToggle: () => void;
  /** What switching it on means. */
  children?: ComponentChildren;
}

/** Something that is on or off, and changes at once. */
export function Switch({ label, on, disabled = false, onToggle, children }: Props) {
  const id = useId();
  return (
    <div class="switch">
      <button
        type="button"
        role="switch"
        class="switch-button"
        aria-checked={on}
        aria-disabled={disabled}
        aria-labelledby={`${id}-label`}
        aria-describedby={`${id}-hint`}
        onClick={() => (disabled ? undefined : onToggle())}
      >
        <span class="switch-knob" />
      </button>
      <div>
        {/* Pressing the words works too, as with any label. */}
        <span class="switch-label" id={`${id}-label`} onClick={() => (disabled ? undefined : onToggle())}>
          {label}
        </span>
        <p class="quiet" id={`${id}-hint`}>
          {children}
        </p>
      </div>
    </div>
  );
}
