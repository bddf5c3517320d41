import { useEffect, useRef, useState } from "preact/hooks";
import { api, ApiError, TRIAL_SECONDS } from "../../api/client";
import { explainFailure } from "../../logic/failure";
import { Notice } from "../../ui/status";
import { Moved } from "./linkform";

interface Props {
  /** Seconds left, as the box said at the moment `at` of this device's clock. */
  left: number | null;
  at: number;
  /** Where the console is when the settings on trial moved it. */
  elsewhere?: string | undefined;
  onKept: () => void;
}

/** How long it is said how a trial ended. */
const FAREWELL_MS = 15_000;

/** A change on trial: how long until the box goes back, and the button that keeps it. */
export function Trial({ left, at, elsewhere, onKept }: Props) {
  const [trouble, setTrouble] = useState<string>();
  const [busy, setBusy] = useState(false);
  const ended = useEnding(left);
  const seconds = useSecondsLeft(left, at);

  async function keep() {
    setBusy(true);
    setTrouble(undefined);
    try {
      await api.keepNetworkSettings();
      ended.keep();
    } catch (error) {
      // Then the box went back already, which the page shows anyway.
      if (!(error instanceof ApiError && error.code === "nothing_on_trial")) setTrouble(explainFailure(error));
    }
    setBusy(false);
    onKept();
  }

  return (
    <div class="trial-place">
      <section class={left === null ? undefined : "trial"} aria-label={left === null ? undefined : "Change on trial"}>
        <div class="trial-words">
          {/* Always in the page: of an element that comes with its words, screen readers often say nothing. */}
          <div role="status" class="trial-news">
            {left !== null ? (
              <p>
                <strong>The new settings are on trial.</strong> Does everything still work? Then keep them.
              </p>
            ) : ended.how ? (
              <Notice kind="info">
                <p>{ended.how === "kept" ? "The new settings stay." : "Nobody kept the new settings, so the box went back to those from before."}</p>
              </Notice>
            ) : null}
          </div>
          {left !== null ? (
            <p role="timer" class="trial-timer">
              {seconds > 0 ? `Will go back in ${seconds} s` : "Going back…"}
            </p>
          ) : null}
        </div>
        {left !== null ? (
          <>
            <div class="trial-track" aria-hidden="true">
              <div class="trial-fill" style={{ width: `${Math.min(100, (seconds / TRIAL_SECONDS) * 100)}%` }} />
            </div>
            {elsewhere ? (
              <div class="trial-moved">
                <Moved to={elsewhere} />
              </div>
            ) : null}
            {trouble ? (
              <p class="trial-trouble" role="alert">
                {trouble}
              </p>
            ) : null}
            <button type="button" class="button" aria-disabled={busy} onClick={() => (busy ? undefined : void keep())}>
              Keep these settings
            </button>
          </>
        ) : null}
      </section>
    </div>
  );
}

/** How the last trial on this page ended, once it has. */
function useEnding(left: number | null): { how: "kept" | "back" | undefined; keep: () => void } {
  const [how, setHow] = useState<"kept" | "back">();
  const kept = useRef(false);
  const was = useRef(false);
  useEffect(() => {
    if (left !== null) {
      if (!was.current) kept.current = false;
      was.current = true;
    } else if (was.current) {
      was.current = false;
      setHow(kept.current ? "kept" : "back");
    }
  }, [left]);
  useEffect(() => {
    if (!how) return undefined;
    const timer = setTimeout(() => setHow(undefined), FAREWELL_MS);
    return () => clearTimeout(timer);
  }, [how]);
  return { how, keep: () => (kept.current = true) };
}

/** Counts down between two answers of the box. */
function useSecondsLeft(left: number | null, at: number): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (left === null) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [left === null]);
  return Math.max(0, Math.ceil((left ?? 0) - (now - at) / 1000));
}
