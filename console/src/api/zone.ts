import { inZone } from "../logic/updates";
import { api } from "./client";

/** The time zone of this device. */
export function ownZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

/** Tells a new box where it is, so that it restarts at night. */
export async function tellZone(): Promise<void> {
  try {
    const told = inZone((await api.updates()).settings, ownZone());
    if (told) await api.changeUpdates(told);
  } catch {
    // The page of updates shows the hours in any case.
  }
}
