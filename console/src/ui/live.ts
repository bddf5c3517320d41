import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { AppEvent } from "../api/apps";
import { watchApps } from "../api/events";
import { Told } from "../logic/told";
import { usePoll, type Polled } from "./poll";

/**
 * Asks every `everyMs`, and changes what is known with each thing that the box tells of apps in between. Where the box tells nothing the
 * page is merely slower. `ask` must keep its identity between renders; telling something twice must change nothing.
 */
export function useLive<T>(ask: () => Promise<T>, everyMs: number, after: (known: T, event: AppEvent) => T): Polled<T> {
  const told = useRef(new Told<AppEvent>());
  const [, setCount] = useState(0);
  const marked = useCallback(async () => {
    const from = told.current.end;
    const known = await ask();
    told.current.forgetBefore(from);
    return { known, from };
  }, [ask]);
  const { data, ...rest } = usePoll(marked, everyMs);

  useEffect(() => {
    let stop: (() => void) | undefined;
    function onVisibility() {
      stop?.();
      stop = undefined;
      if (document.hidden) return;
      stop = watchApps((event) => {
        told.current.add(event);
        setCount((before) => before + 1);
      });
    }
    onVisibility();
    document.addEventListener("visibilitychange", onVisibility);
    return () => {
      document.removeEventListener("visibilitychange", onVisibility);
      stop?.();
    };
  }, []);

  return data === undefined ? rest : { ...rest, data: told.current.since(data.from).reduce(after, data.known) };
}
