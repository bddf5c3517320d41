import { useState } from "preact/hooks";
import type { ComponentChildren } from "preact";

interface Props {
  title: string;
  isOpen: boolean;
  /** Something in it has to be mended, so it is open. */
  isWrong: boolean;
  children: ComponentChildren;
}

/** Part of a form that most people leave as it is. */
export function Fold({ title, isOpen, isWrong, children }: Props) {
  const [open, setOpen] = useState(isOpen);
  return (
    <details class="group" open={open || isWrong} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <span class="group-title">{title}</span>
      </summary>
      <div class="fold">{children}</div>
    </details>
  );
}
