import type { Vault } from "../../api/types";
import { Notice } from "../../ui/status";

/** The recovery code of the vault: whether somebody has it, and a new one. */
export function CodeCard({ vault, onTask }: { vault: Vault; onTask: (task: "password" | "typing") => void }) {
  const { has_recovery_code: has, is_waiting_for_confirmation: isWaiting } = vault;
  return (
    <section class="card" aria-labelledby="code-title">
      <h2 id="code-title">Recovery code</h2>
      {has ? (
        <p>You have it on paper. Make a new one when the paper is lost, or somebody saw it who should not have: the old code then opens nothing more.</p>
      ) : isWaiting ? (
        <Notice kind="warn">
          <p>A code was made, and its end was not typed back yet: nobody knows whether your paper is right. If it is not, it will not let you in when you need it.</p>
        </Notice>
      ) : (
        <Notice kind="warn">
          <p>You have none on paper. If you forget your password, nobody can open your private files any more, and nobody can let you in.</p>
        </Notice>
      )}
      {has && isWaiting ? <p class="quiet">A new one was made, and its end was not typed back yet. Until then the old one stays in force.</p> : null}
      <div class="actions actions-start">
        {isWaiting ? (
          <button type="button" class="button" onClick={() => onTask("typing")}>
            I have it on paper
          </button>
        ) : null}
        <button type="button" class={has || isWaiting ? "button button-quiet" : "button"} onClick={() => onTask("password")}>
          {has || isWaiting ? "Make a new one" : "Make a recovery code"}
        </button>
      </div>
    </section>
  );
}
