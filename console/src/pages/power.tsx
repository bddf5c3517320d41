import { useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import { formatDuration } from "../logic/format";
import { observe, powerWords, type Observation, type Power } from "../logic/power";
import { CardPage, Heading } from "../ui/page";
import { Notice, Progress } from "../ui/status";

const LOOK_MS = 2000;

/** While the box restarts or switches off: looks every two seconds and says what it sees. */
export function PowerPage({ start, onBack }: { start: Power; onBack: () => void }) {
  const power = useWatch(start);
  const words = powerWords(power);

  useEffect(() => {
    if (power.phase === "back") onBack();
  }, [power.phase, onBack]);

  return (
    <CardPage title={words.title}>
      <Heading turn={words.title}>{words.title}</Heading>
      {words.waiting && !words.slow ? (
        <Progress reason={words.reason} />
      ) : words.slow ? (
        <Notice kind="warn" urgent>
          <p>{words.reason}</p>
        </Notice>
      ) : (
        <p class="lead">{words.reason}</p>
      )}
      {words.waiting ? <p class="quiet">{formatDuration(power.elapsed)} so far.</p> : null}
      {words.slow || power.kind === "poweroff" ? (
        <div class="actions">
          <button type="button" class="button button-quiet" onClick={onBack}>
            Back to the home page
          </button>
        </div>
      ) : null}
    </CardPage>
  );
}

function useWatch(start: Power): Power {
  const [power, setPower] = useState(start);
  useEffect(() => {
    const began = Date.now();
    let timer: number | undefined;
    let ended = false;

    async function look() {
      const seen = await observation((Date.now() - began) / 1000);
      if (ended) return;
      setPower((old) => observe(old, seen));
      timer = window.setTimeout(look, LOOK_MS);
    }

    timer = window.setTimeout(look, LOOK_MS);
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, []);
  return power;
}

async function observation(elapsed: number): Promise<Observation> {
  try {
    await api.status();
  } catch {
    return { elapsed, reachable: false };
  }
  try {
    return { elapsed, reachable: true, uptime: (await api.system()).uptime_seconds };
  } catch {
    // Answering without a login, or only just before it went away: both say nothing about the uptime.
    return { elapsed, reachable: true };
  }
}
