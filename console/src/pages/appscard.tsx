import { ApiError } from "../api/client";
import type { AppList } from "../api/apps";
import { appsSummary } from "../logic/apps";
import { StatusWord } from "../ui/status";

/** How the apps are, on the home page. */
export function AppsCard({ apps, onApps }: { apps: AppList | ApiError; onApps: () => void }) {
  return (
    <section class="card" aria-labelledby="apps-title">
      <div class="card-head">
        <h2 id="apps-title">Apps</h2>
        <button type="button" class="link" onClick={onApps}>
          Show, install
        </button>
      </div>
      {apps instanceof ApiError ? <p class="quiet">{apps.message}</p> : <Known apps={apps} />}
    </section>
  );
}

function Known({ apps }: { apps: AppList }) {
  const { word, tone, sentence } = appsSummary(apps);
  return (
    <>
      <p>
        <StatusWord tone={tone}>{word}</StatusWord>
      </p>
      <p class="quiet">{sentence}</p>
    </>
  );
}
