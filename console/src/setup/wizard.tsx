import { useEffect, useReducer, useRef } from "preact/hooks";
import { api, ApiError } from "../api/client";
import type { User } from "../api/types";
import { tellZone } from "../api/zone";
import { claimCodeIn } from "../logic/claim";
import { advance, setupRequest, startWizard, type Field, type Wizard } from "../logic/wizard";
import { CardPage } from "../ui/page";
import { AccountStep } from "./account";
import { ClaimHelp, ClaimStep } from "./claim";
import { DonePage } from "./done";
import { NameStep } from "./name";
import { OpeningStep } from "./opening";
import { RecoveryStep } from "./recovery";
import { RestoreFlow } from "./restore";
import { ReviewStep } from "./review";
import { StepList } from "./steps";
import { TakenPage } from "./taken";
import { WifiStep } from "./wifi";

export interface StepProps {
  wizard: Wizard;
  edit: (field: Field, value: string) => void;
}

interface Props {
  hostname: string;
  onDone: (user: User) => void;
  onLogin: () => void;
}

/** The set-up: shows the state machine of `logic/wizard` and sends its one request. */
export function SetupWizard({ hostname, onDone, onLogin }: Props) {
  const [wizard, send] = useReducer(advance, null, () => startWizard(hostname, claimCodeIn(location.hash)));
  const form = useRef<HTMLFormElement>(null);

  // The code is no part of the address for long: addresses are remembered and shown.
  useEffect(() => {
    if (location.hash !== "") history.replaceState(history.state, "", location.pathname);
  }, []);

  // Runs after the effects of the step shown, so the field at fault wins over the step's heading.
  useEffect(() => {
    if (wizard.attempt > 0) form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [wizard.attempt]);

  async function finish() {
    send({ kind: "send" });
    try {
      send({ kind: "accepted", result: await api.setup(setupRequest(wizard.draft)) });
      void tellZone();
    } catch (error) {
      if (error instanceof ApiError) send({ kind: "refused", error });
      else send({ kind: "unanswered", setUpMeanwhile: await isSetUp() });
    }
  }

  if (wizard.phase === "recovery" && wizard.result) {
    const over = () => send({ kind: "recovery-over" });
    return <RecoveryStep hostname={wizard.result.hostname} password={wizard.draft.password} onOver={over} />;
  }
  if (wizard.phase === "opening" && wizard.result) {
    return (
      <OpeningStep
        userName={wizard.result.user.name}
        password={wizard.draft.password}
        onRecovery={() => send({ kind: "recovery-again" })}
        onOver={() => send({ kind: "opening-over" })}
      />
    );
  }
  if (wizard.phase === "wifi" && wizard.result) return <WifiStep url={wizard.result.url} onOver={() => send({ kind: "wifi-over" })} />;
  if (wizard.phase === "done" && wizard.result) return <DonePage result={wizard.result} onHome={onDone} />;
  if (wizard.phase === "taken") return <TakenPage onLogin={onLogin} />;

  if (wizard.phase === "restore") {
    return <RestoreFlow claimCode={wizard.draft.claimCode} onBack={() => send({ kind: "anew" })} onLogin={onLogin} />;
  }

  const { step, phase } = wizard;
  const sending = phase === "sending";
  const props: StepProps = { wizard, edit: (field, value) => send({ kind: "edit", field, value }) };
  return (
    <CardPage title="Set up" before={<StepList current={step} />}>
      <form
        ref={form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (sending) return;
          if (step === "review") void finish();
          else send({ kind: "next" });
        }}
      >
        {step === "claim" ? <ClaimStep {...props} /> : null}
        {step === "name" ? <NameStep {...props} /> : null}
        {step === "account" ? <AccountStep {...props} /> : null}
        {step === "review" ? <ReviewStep {...props} go={(to) => send({ kind: "go", step: to })} /> : null}
        <div class="actions">
          {step === "claim" ? null : (
            <button type="button" class="button button-quiet" disabled={sending} onClick={() => send({ kind: "back" })}>
              Back
            </button>
          )}
          {/* aria-disabled keeps the focus on the button while the box works; a disabled one would lose it. */}
          <button type="submit" class="button" aria-disabled={sending}>
            {step !== "review" ? "Continue" : sending ? "Setting up…" : "Set up my box"}
          </button>
        </div>
        {step === "claim" ? <ClaimHelp onRestore={() => send({ kind: "restore" })} /> : null}
      </form>
    </CardPage>
  );
}

/** After a request without an answer only the box itself knows whether it was carried out. */
async function isSetUp(): Promise<boolean> {
  try {
    return (await api.status()).state !== "setup";
  } catch {
    return false;
  }
}
