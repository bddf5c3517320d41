import type { ComponentChildren } from "preact";
import type { Tone } from "../logic/words";

/** A word with a coloured sign before it; the sign differs in shape too, for those who do not see the colours apart. */
export function StatusWord({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <span class={`state state-${tone}`}>
      <StatusSign tone={tone} />
      {children}
    </span>
  );
}

const SIGNS: Record<Tone | "info", string> = {
  info: "M8 7.2v4.3M8 4.4v.1",
  good: "M3.5 8.5l3 3 6-7",
  busy: "M4.2 8h.01M8 8h.01M11.8 8h.01",
  bad: "M8 4v5M8 11.8v.4",
  off: "M4.5 8h7",
};

function StatusSign({ tone }: { tone: keyof typeof SIGNS }) {
  return (
    <svg class="sign" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <circle cx="8" cy="8" r="8" />
      <path d={SIGNS[tone]} />
    </svg>
  );
}

/** Something to know or to act on, standing in the page. `urgent` ones are read out at once. */
export function Notice({ kind, urgent, children }: { kind: "info" | "warn" | "bad"; urgent?: boolean; children: ComponentChildren }) {
  return (
    <div class={`notice notice-${kind}`} {...(urgent ? { role: "alert" } : {})}>
      <StatusSign tone={kind === "info" ? "info" : "bad"} />
      <div class="notice-text">{children}</div>
    </div>
  );
}

/** Work whose end cannot be foretold: a moving bar, never without its reason. */
export function Progress({ reason }: { reason: ComponentChildren }) {
  return (
    <div class="progress" role="status">
      <div class="progress-track" aria-hidden="true">
        <div class="progress-run" />
      </div>
      <p>{reason}</p>
    </div>
  );
}

/** Work of which it is known how far it is. */
export function ProgressBar({ label, percent, text }: { label: string; percent: number; text: string }) {
  return (
    <div class="progress">
      <div class="progress-track" role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent} aria-valuetext={text}>
        <div class="progress-fill" style={{ width: `${percent}%` }} />
      </div>
      <p class="progress-words">{text}</p>
    </div>
  );
}

/** Work of which it is perhaps known how far it is. */
export function WorkBar({ label, text, percent }: { label: string; text: string; percent?: number }) {
  return percent === undefined ? <Progress reason={text} /> : <ProgressBar {...{ label, percent, text }} />;
}

/** How full something is, in words and as a bar. */
export function Meter({ label, percent, text, level }: { label: string; percent: number; text: string; level: "calm" | "high" | "full" }) {
  return (
    <div class="meter">
      <div class="meter-words">
        <span class="meter-label">{label}</span>
        <span>{text}</span>
      </div>
      <div
        class={`meter-track meter-${level}`}
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
        aria-valuetext={`${text}, ${percent} percent`}
      >
        {/* Set through the object model: a style attribute in markup would be refused by the content policy. */}
        <div class="meter-fill" style={{ width: `${percent}%` }} />
      </div>
    </div>
  );
}
