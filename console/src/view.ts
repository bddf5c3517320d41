import { useCallback, useEffect, useState } from "preact/hooks";

/** What of the home area is shown. */
export type View =
  | { page: "home" | Page }
  | { page: "logs"; unit: string }
  | { page: "app"; key: string }
  /** `dataOf`: a removed app whose data the new one takes up. */
  | { page: "install"; dataOf?: string };

const PAGES = ["network", "storage", "backups", "updates", "people", "files", "account", "apps"] as const;
type Page = (typeof PAGES)[number];

const FOR_ALL: ReadonlySet<View["page"]> = new Set(["home", "files", "account", "apps", "app", "install"]);

/** Whether only an owner of the box has business there. */
export function isForOwners({ page }: View): boolean {
  return !FOR_ALL.has(page);
}

/**
 * The view as an entry of the browser's history, so that its back button works and a reload stays where it was.
 * The address stays `/`: the box serves its page there and nowhere else, so no address can lead nowhere.
 */
export function useView(): [View, (view: View, how?: "instead") => void] {
  const [view, setView] = useState<View>(() => read(history.state));

  useEffect(() => {
    const onPop = (event: PopStateEvent) => setView(read(event.state));
    addEventListener("popstate", onPop);
    return () => removeEventListener("popstate", onPop);
  }, []);

  const show = useCallback((next: View, how?: "instead") => {
    if (read(history.state).page === next.page && next.page === "home") return;
    // In place of a page that has done what it was for, so that the back button does not lead there.
    if (how === "instead") history.replaceState(next, "");
    else history.pushState(next, "");
    setView(next);
    scrollTo(0, 0);
  }, []);

  return [view, show];
}

function read(state: unknown): View {
  const { page, unit, key, dataOf } = (state ?? {}) as Record<string, unknown>;
  const known = PAGES.find((each) => each === page);
  if (known) return { page: known };
  if (page === "app" && isKey(key)) return { page, key };
  if (page === "install") return isKey(dataOf) ? { page, dataOf } : { page };
  return page === "logs" && typeof unit === "string" ? { page, unit } : { page: "home" };
}

/** Keys of apps become parts of addresses. */
function isKey(key: unknown): key is string {
  return typeof key === "string" && /^[0-9a-z-]+$/.test(key);
}
