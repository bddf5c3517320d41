import type { Firewall } from "../../api/types";
import { firewallState, groupRules, packets, type RuleGroup } from "../../logic/network";
import { StatusWord } from "../../ui/status";
import { Question } from "./question";
import { Rules } from "./rules";

/** What the firewall lets through and stops, and the form to ask it. */
export function FirewallCard({ firewall, apps }: { firewall: Firewall; apps: string[] }) {
  const { word, tone, detail } = firewallState(firewall);
  return (
    <section class="card" aria-labelledby="firewall-title">
      <div class="card-head">
        <h2 id="firewall-title">Firewall</h2>
        <StatusWord tone={tone}>{word}</StatusWord>
      </div>
      <p>{detail}</p>
      <Question apps={apps} />
      <div class="groups">
        {groupRules(firewall.rules).map((group) => (
          <Group key={group.title} group={group} />
        ))}
      </div>
    </section>
  );
}

function Group({ group }: { group: RuleGroup }) {
  return (
    <details class="group">
      <summary>
        <span class="group-title">{group.title}</span>
        <span class="group-sum">{packets(group.packets)}</span>
      </summary>
      <Rules rules={group.rules} />
    </details>
  );
}
