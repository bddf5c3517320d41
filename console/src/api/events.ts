/** What the box tells of apps by itself, for as long as somebody watches. */

import type { AppEnding, AppEvent, AppSummary } from "./apps";

/** How long to wait before a stream is opened anew that the box ended or refused. */
const REOPEN_MS = 5000;

/**
 * Tells of every change until the answer is called. A stream that breaks is opened again; why it broke is for the page's own questions
 * to find out, which go on beside it. Whatever comes through a new stream first is how things are.
 */
export function watchApps(onEvent: (event: AppEvent) => void): () => void {
  let source: EventSource | undefined;
  let timer: number | undefined;

  function open() {
    const opened = new EventSource("/api/v1/apps/events");
    source = opened;
    for (const kind of ["app", "gone", "service"] as const) {
      opened.addEventListener(kind, ({ data }: MessageEvent<string>) => {
        const event = readAppEvent(kind, data);
        if (event) onEvent(event);
      });
    }
    opened.onerror = () => {
      // After an answer that is no stream a browser does not try again by itself.
      if (opened.readyState === EventSource.CLOSED) timer = window.setTimeout(open, REOPEN_MS);
    };
  }

  open();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}

/** Nothing for what this page cannot read: its own questions to the box go on. */
export function readAppEvent(kind: AppEvent["kind"], data: string): AppEvent | undefined {
  try {
    const body: unknown = JSON.parse(data);
    if (typeof body !== "object" || body === null) return undefined;
    switch (kind) {
      case "app":
        return { kind, app: body as AppSummary };
      case "gone":
        return { kind, ending: body as AppEnding };
      case "service":
        return { kind, problem: (body as { problem: string | null }).problem };
    }
  } catch {
    return undefined;
  }
}
