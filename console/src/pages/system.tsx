import type { Amount, System } from "../api/types";
import { formatDuration, used } from "../logic/format";
import { Meter } from "../ui/status";

/** Version, uptime, and how full memory and disk are. */
export function SystemCard({ system }: { system: System }) {
  return (
    <section class="card" aria-labelledby="system-title">
      <h2 id="system-title">This box</h2>
      <dl class="facts">
        <div>
          <dt>Running for</dt>
          <dd>{formatDuration(system.uptime_seconds)}</dd>
        </div>
        <div>
          <dt>Version</dt>
          <dd>{system.version}</dd>
        </div>
        <div>
          <dt>System slot</dt>
          <dd>{system.slot}</dd>
        </div>
        <div>
          <dt>Made for</dt>
          <dd>{system.board}</dd>
        </div>
      </dl>
      <Fill label="Memory" amount={system.memory} full="Memory is nearly used up. A restart frees it." />
      <Fill label="Disk" amount={system.disk} full="The disk is nearly full. Delete something you do not need." />
    </section>
  );
}

function Fill({ label, amount, full }: { label: string; amount: Amount; full: string }) {
  const fill = used(amount);
  if (!fill) return <p class="quiet">{label}: the box does not know. The reasons above may say why.</p>;
  return (
    <>
      <Meter label={label} {...fill} />
      {fill.level === "full" ? <p class="quiet">{full}</p> : null}
    </>
  );
}
