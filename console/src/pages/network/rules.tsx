import type { Rule } from "../../api/types";
import { packets } from "../../logic/network";

/** Rules in plain words, with what they met. */
export function Rules({ rules }: { rules: Rule[] }) {
  return (
    <ul class="rules">
      {rules.map((rule) => (
        <li key={rule.name} class={rule.allows ? "rule" : "rule rule-stops"}>
          <span>{rule.words}</span>
          <span class="rule-count">{packets(rule.packets)}</span>
        </li>
      ))}
    </ul>
  );
}
