import { useCallback, useEffect, useState } from "preact/hooks";

/** What of the home area is shown. */
export type View = { page: "home" | Page } | { page: "logs"; unit: string };

const PAGES = ["network", "storage", "backups", "people", "files", "account"] as const;
type Page = (typeof PAGES)[number];

/** Whether only an owner of the box has business there. */
export function isForOwners({ page }: View): boolean {
  return page !== "home" && page !== "files" && page !== "account";
}

/**
 * The view as an entry of the browser's history, so that its back button works and a reload stays where it was.
 * The address stays `/`: the box serves its page there and nowhere else, so no address can lead nowhere.
 */
export function useView(): [View, (view: View) => void] {
  const [view, setView] = useState<View>(() => read(history.state));

  useEffect(() => {
    const onPop = (event: PopStateEvent) => setView(read(event.state));
    addEventListener("popstate", onPop);
    return () => removeEventListener("popstate", onPop);
  }, []);

  const show = useCallback((next: View) => {
    if (read(history.state).page === next.page && next.page === "home") return;
    history.pushState(next, "");
    setView(next);
    scrollTo(0, 0);
  }, []);

  return [view, show];
}

function read(state: unknown): View {
  const { page, unit } = (state ?? {}) as { page?: unknown; unit?: unknown };
  const known = PAGES.find((each) => each === page);
  if (known) return { page: known };
  return page === "logs" && typeof unit === "string" ? { page, unit } : { page: "home" };
}
