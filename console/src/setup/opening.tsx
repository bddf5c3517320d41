import { useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import type { StorageReport } from "../api/types";
import { hasRecoveryKey } from "../logic/storage";
import { hasNoChip, hasPassphrase } from "../logic/volume";
import { CardPage, Heading } from "../ui/page";
import { PassphraseForm } from "../ui/passphraseform";
import { Notice, Progress } from "../ui/status";

interface Props {
  userName: string;
  password: string;
  /** Makes a recovery key after all. */
  onRecovery: () => void;
  onOver: () => void;
}

/** Only for a box without security chip: whether it opens its data by itself, or asks at each start. */
export function OpeningStep({ userName, password, onRecovery, onOver }: Props) {
  const [storage, setStorage] = useState<StorageReport>();
  const [asks, setAsks] = useState(false);

  useEffect(() => {
    let ended = false;
    api.storage().then(
      // A chip opens the data by itself and protects it: nothing to choose.
      (report) => (ended ? undefined : hasNoChip(report) && !hasPassphrase(report) ? setStorage(report) : onOver()),
      // The choice is on the page Encrypted data too.
      () => (ended ? undefined : onOver()),
    );
    return () => {
      ended = true;
    };
  }, []);

  if (storage === undefined) {
    return (
      <CardPage title="Set up">
        <Heading>One moment</Heading>
        <Progress reason="Looking how this box opens its data." />
      </CardPage>
    );
  }
  if (asks) {
    return (
      <CardPage title="Passphrase">
        <Heading turn="passphrase">Choose a passphrase</Heading>
        <p class="lead">The box asks for it at every start, also after a power cut. If it is forgotten, the recovery key opens the data.</p>
        <PassphraseForm action="Set it" userName={userName} password={password} leave="Back" onLeave={() => setAsks(false)} onDone={onOver} />
      </CardPage>
    );
  }
  const canAsk = hasRecoveryKey(storage);
  return (
    <CardPage title="Opening the data">
      <Heading turn="choice">Who opens the data at each start?</Heading>
      <p class="lead">Your data is encrypted. This box has no security chip that could keep the key, so choose what happens when it starts.</p>
      <section class="choice" aria-labelledby="ask-title">
        <h2 id="ask-title">Ask me at each start</h2>
        <p>Somebody types a passphrase in the browser after every start, also after a power cut. Whoever takes the disk can read nothing.</p>
        {canAsk ? null : <p class="quiet">First the recovery key must be on paper, because a passphrase can be forgotten.</p>}
        <div class="actions actions-start">
          <button type="button" class="button" onClick={() => (canAsk ? setAsks(true) : onRecovery())}>
            {canAsk ? "Ask me at each start" : "Make the recovery key now"}
          </button>
        </div>
      </section>
      <section class="choice" aria-labelledby="itself-title">
        <h2 id="itself-title">Open by itself</h2>
        <p>The box is there again by itself after every start.</p>
        <Notice kind="warn">
          <p>The key then lies on the same disk: whoever has the disk or card can read everything on it. Keep the box where nobody can take it.</p>
        </Notice>
        <div class="actions actions-start">
          <button type="button" class="button button-quiet" onClick={onOver}>
            Open by itself
          </button>
        </div>
      </section>
      <p class="quiet">A passphrase can be set later too, on the page Encrypted data. Once there is one, the box does not go back to opening by itself.</p>
    </CardPage>
  );
}
