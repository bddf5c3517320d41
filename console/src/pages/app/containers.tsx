import type { AppContainer } from "../../api/apps";
import { containerDetail, containerState } from "../../logic/apps";
import { cpuPercent, usageFacts, type Look } from "../../logic/appusage";
import { StatusWord } from "../../ui/status";

/** The parts of an app, each on its own, and what they use. */
export function ContainersCard({ before, now }: { before: Look | undefined; now: Look }) {
  return (
    <section class="card" aria-labelledby="containers-title">
      <h2 id="containers-title">{now.containers.length === 1 ? "What it uses" : "Its parts"}</h2>
      <ul class="rows">
        {now.containers.map((container) => (
          <Part key={container.name} container={container} percent={cpuPercent(container.name, before, now)} />
        ))}
      </ul>
    </section>
  );
}

function Part({ container, percent }: { container: AppContainer; percent: number | undefined }) {
  const { word, tone } = containerState(container.state);
  const detail = containerDetail(container);
  const facts = usageFacts(container, percent);
  return (
    <li class="row">
      <div class="row-main">
        <span class="row-name app-name">{container.name}</span>
        <StatusWord tone={tone}>{word}</StatusWord>
        {detail ? <p class="row-detail">{detail}</p> : null}
        {facts.length > 0 ? (
          <dl class="facts row-facts">
            {facts.map(({ name, value }) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        ) : null}
      </div>
    </li>
  );
}
