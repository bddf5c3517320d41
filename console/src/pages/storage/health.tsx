import type { HealthReport } from "../../api/types";
import { used } from "../../logic/format";
import { diskRows, trimWords, verdict } from "../../logic/health";
import { Reasons } from "../../ui/reasons";
import { Meter, StatusWord } from "../../ui/status";

/** How the disk is, and how much room is left on it. */
export function HealthCard({ health }: { health: HealthReport }) {
  const { word, tone } = verdict(health);
  const fill = health.file_system ? used(health.file_system) : undefined;
  const trim = trimWords(health);
  return (
    <section class="card" aria-labelledby="health-title">
      <h2 id="health-title">Health of the disk</h2>
      <p>
        <StatusWord tone={tone}>{word}</StatusWord>
      </p>
      <Reasons title="What to do" reasons={health.findings.map(({ words }) => words)} />
      {fill ? <Meter label="Room" {...fill} /> : null}
      {health.disk ? (
        <dl class="facts">
          {diskRows(health.disk).map(([name, words]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{words}</dd>
            </div>
          ))}
        </dl>
      ) : null}
      {health.disk?.silent ? <p class="quiet">The box cannot say more: {health.disk.silent}.</p> : null}
      {trim ? <p class="quiet">{trim}</p> : null}
    </section>
  );
}
