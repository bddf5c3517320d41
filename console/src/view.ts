import { useCallback, useEffect, useState } from "preact/hooks";

/** What of the home area is shown. */
export type View = { page: "home" } | { page: "network" } | { page: "storage" } | { page: "files" } | { page: "account" } | { page: "logs"; unit: string };

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
  if (page === "network" || page === "storage" || page === "files" || page === "account") return { page };
  return page === "logs" && typeof unit === "string" ? { page, unit } : { page: "home" };
}
