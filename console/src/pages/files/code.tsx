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
      ) : (
        <Notice kind="warn">
          <p>You have none on paper. If you forget your password, nobody can open your private files any more, and nobody can let you in.</p>
        </Notice>
      )}
      {isWaiting ? <p class="quiet">A code was made and you have not typed its end back yet. Without that it is not sure that your paper is right.</p> : null}
      <div class="actions actions-start">
        <button type="button" class={has ? "button button-quiet" : "button"} onClick={() => onTask("password")}>
          {has ? "Make a new one" : "Make a recovery code"}
        </button>
        {isWaiting ? (
          <button type="button" class="button button-quiet" onClick={() => onTask("typing")}>
            I have it on paper
          </button>
        ) : null}
      </div>
    </section>
  );
}
