import { useEffect, useRef } from "preact/hooks";
import type { RefObject } from "preact";

/** A form whose first wrong field gets the focus whenever `attempt` counts up: otherwise people would look for it. */
export function useFaults(attempt: number): RefObject<HTMLFormElement | null> {
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (attempt > 0) form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [attempt]);
  return form;
}
