/**
 * What the page knows while the box restarts or switches off.
 *
 *   stopping ── no answer ──▶ away ── answers ──▶ back
 *       └── answers with a younger uptime ─────────▲
 *
 * Pure: the page feeds it one observation per try.
 */

export interface Power {
  kind: "reboot" | "poweroff";
  phase: "stopping" | "away" | "back";
  /** Seconds since the box accepted the request. */
  elapsed: number;
}

export interface Observation {
  elapsed: number;
  reachable: boolean;
  /** Uptime of the box, where it was told. */
  uptime?: number;
}

/** init ends a shutdown within 30 s (docs/spec/boot.md); twice that leaves room for a slow answer. */
const STOP_SECONDS = 60;
/** A small board boots in well under a minute; a file system check may take longer. */
const SLOW_SECONDS = 150;

export function startPower(kind: Power["kind"]): Power {
  return { kind, phase: "stopping", elapsed: 0 };
}

export function observe(power: Power, seen: Observation): Power {
  const { elapsed } = seen;
  if (power.phase === "back") return power;
  if (!seen.reachable) return { ...power, elapsed, phase: "away" };
  const younger = seen.uptime !== undefined && seen.uptime < elapsed;
  return { ...power, elapsed, phase: power.phase === "away" || younger ? "back" : "stopping" };
}

export interface PowerWords {
  title: string;
  reason: string;
  /** Whether something is still expected to happen by itself. */
  waiting: boolean;
  /** Whether the owner had better do something. */
  slow: boolean;
}

export function powerWords(power: Power): PowerWords {
  const reboot = power.kind === "reboot";
  if (power.phase === "back") {
    return { title: "The box is back", reason: "It started and answers again.", waiting: false, slow: false };
  }
  if (power.phase === "stopping") {
    const slow = power.elapsed > STOP_SECONDS;
    return {
      title: reboot ? "Restarting" : "Switching off",
      reason: slow
        ? "The box still answers, so something holds it up. Go back to the home page and try once more; if that does not help, hold its power button for ten seconds."
        : "The box is ending its services and writing everything to its disk. This takes up to half a minute.",
      waiting: !slow,
      slow,
    };
  }
  if (!reboot) {
    return {
      title: "The box is off",
      reason: "It does not answer any more. Wait until its lights are out before you pull the plug. To start it again, press its power button or plug it in.",
      waiting: false,
      slow: false,
    };
  }
  const slow = power.elapsed > SLOW_SECONDS;
  return {
    title: "Restarting",
    reason: slow
      ? "This takes longer than usual. If a screen is attached, look there for a reason; otherwise unplug the box for ten seconds. This page goes on waiting."
      : "The box is starting up. This page goes on by itself as soon as it answers.",
    waiting: true,
    slow,
  };
}
