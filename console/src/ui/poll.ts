import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError, Unreachable } from "../api/client";
import { Turns } from "../logic/turns";

export interface Polled<T> {
  data?: T;
  /** The box refused the last try. */
  refusal?: ApiError;
  /** The last try got no answer; `data` is older than that. */
  lost: boolean;
  /** A try is under way. */
  trying: boolean;
  /** Tries now, and ends when a try has ended that began after this. */
  again: () => Promise<void>;
}

/**
 * Asks now and then every `everyMs`, one try at a time, and not at all while nobody looks at the page.
 * `ask` must keep its identity between renders.
 */
export function usePoll<T>(ask: () => Promise<T>, everyMs: number): Polled<T> {
  const [state, setState] = useState<Omit<Polled<T>, "again">>({ lost: false, trying: true });
  const now = useRef<() => Promise<void>>(() => Promise.resolve());

  useEffect(() => {
    let timer: number | undefined;
    let ended = false;

    async function once() {
      if (ended) return;
      clearTimeout(timer);
      setState((old) => ({ ...old, trying: true }));
      try {
        const data = await ask();
        if (!ended) setState({ data, lost: false, trying: false });
      } catch (error) {
        if (!ended) setState((old) => after(old, error));
      }
      if (!ended && !document.hidden) timer = window.setTimeout(tryNow, everyMs);
    }

    const turns = new Turns(once);
    function tryNow() {
      void turns.again();
    }

    function onVisibility() {
      if (document.hidden) clearTimeout(timer);
      else tryNow();
    }

    now.current = () => turns.again();
    document.addEventListener("visibilitychange", onVisibility);
    tryNow();
    return () => {
      ended = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisibility);
    };
  }, [ask, everyMs]);

  const again = useCallback(() => now.current(), []);
  return { ...state, again };
}

function after<T>(old: Omit<Polled<T>, "again">, error: unknown): Omit<Polled<T>, "again"> {
  if (error instanceof ApiError) return { ...old, refusal: error, lost: false, trying: false };
  if (error instanceof Unreachable) return { ...old, lost: true, trying: false };
  throw error;
}

/** Tells when the box says that nobody is logged in any more. */
export function useLoggedOut(poll: Polled<unknown>, onLoggedOut: () => void): void {
  const loggedOut = poll.refusal?.status === 401;
  useEffect(() => {
    if (loggedOut) onLoggedOut();
  }, [loggedOut, onLoggedOut]);
}
