import { useEffect, useRef, useState } from "preact/hooks";
import type { RefObject } from "preact";

interface Editing {
  isOpen: boolean;
  open: () => void;
  close: () => void;
  /** For the button that opens the form and is not there while it is open. */
  opener: RefObject<HTMLButtonElement | null>;
}

/** A form in place of the button that opens it. The focus comes back to the button: otherwise it would start over at the page's top. */
export function useEditing(): Editing {
  const [isOpen, setIsOpen] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const wasOpen = useRef(false);
  useEffect(() => {
    if (wasOpen.current && !isOpen) opener.current?.focus();
    wasOpen.current = isOpen;
  }, [isOpen]);
  return { isOpen, open: () => setIsOpen(true), close: () => setIsOpen(false), opener };
}
