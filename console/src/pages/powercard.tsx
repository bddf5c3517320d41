import { useState } from "preact/hooks";
import { api, ApiError } from "../api/client";
import type { Power } from "../logic/power";
import { ConfirmDialog } from "../ui/dialog";
import { Notice } from "../ui/status";

const TEXTS = {
  reboot: {
    title: "Restart the box?",
    text: "Everyone at home loses the connection to it for about a minute. Nothing is lost.",
    confirm: "Restart",
  },
  poweroff: {
    title: "Switch the box off?",
    text: "It can then only be started at the box itself: with its power button, or by plugging it in again.",
    confirm: "Switch off",
  },
} satisfies Record<Power["kind"], unknown>;

/** Restart and switch off, each after a question. */
export function PowerCard({ onPower }: { onPower: (kind: Power["kind"]) => void }) {
  const [asked, setAsked] = useState<Power["kind"]>();
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();

  async function carryOut(kind: Power["kind"]) {
    setBusy(true);
    setTrouble(undefined);
    try {
      await (kind === "reboot" ? api.reboot() : api.powerOff());
      onPower(kind);
    } catch (error) {
      setTrouble(error instanceof ApiError ? error.message : "The box did not answer, so nothing was done. Try again in a moment.");
      setBusy(false);
      setAsked(undefined);
    }
  }

  return (
    <section class="card" aria-labelledby="power-title">
      <h2 id="power-title">Power</h2>
      <p>Pulling the plug does no harm, but this is kinder to whoever is using the box.</p>
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      <div class="actions actions-start">
        <button type="button" class="button button-quiet" onClick={() => setAsked("reboot")}>
          Restart…
        </button>
        <button type="button" class="button button-quiet" onClick={() => setAsked("poweroff")}>
          Switch off…
        </button>
      </div>
      {asked ? (
        <ConfirmDialog
          title={TEXTS[asked].title}
          confirm={TEXTS[asked].confirm}
          busy={busy}
          onConfirm={() => void carryOut(asked)}
          onClose={() => setAsked(undefined)}
        >
          <p>{TEXTS[asked].text}</p>
        </ConfirmDialog>
      ) : null}
    </section>
  );
}
