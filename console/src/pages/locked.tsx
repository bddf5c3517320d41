import { useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import type { Status } from "../api/types";
import { typedKeyName, unlockTrouble } from "../logic/storage";
import { KeyForm } from "../ui/keyform";
import { usePoll } from "../ui/poll";
import { CardPage, Heading } from "../ui/page";
import { ConnectionNotice } from "../ui/lost";
import { Reasons } from "../ui/reasons";
import { Notice, Progress } from "../ui/status";

const LOOK_MS = 3000;
/** Mounting the data and starting everything again takes seconds; a file system check may take longer. */
const SLOW_MS = 150_000;

/** The box runs, but its data is still encrypted. */
export function LockedPage({ status, again }: { status: Status; again: () => void }) {
  const poll = usePoll(api.status, LOOK_MS);
  const [opened, setOpened] = useState(false);
  const now = poll.data ?? status;
  useEffect(() => {
    if (now.state !== "locked") again();
  }, [now.state, again]);

  const label = typedKeyName(now.takes);
  const asksAlways = now.takes.includes("passphrase");
  if (opened) return <OpenedPage />;
  return (
    <CardPage title="Locked">
      <Heading>Your box is locked</Heading>
      <p class="lead">
        {asksAlways
          ? "It has started and waits for somebody to open its encrypted disk, as after every start. Until then nobody can read your data, and neither can the box."
          : "It is running, but it has not opened its encrypted disk yet. Your data is safe; nobody can read it, and neither can the box."}
      </p>
      <Reasons title="Why" reasons={now.reasons} />
      {label ? <UnlockForm label={label} takesPassphrase={asksAlways} onOpened={() => setOpened(true)} /> : null}
      <div class="aside">
        <h2>What to know</h2>
        <ul class="advice">
          {label ? (
            <li>Type the key only here at home. The browser may warn about the certificate, because the box’s own lies in the locked data.</li>
          ) : (
            <li>No recovery key was ever made, so only this box as it was before opens its data.</li>
          )}
          {asksAlways ? (
            <li>Forgotten? Then only the recovery key on paper opens it, in the same field.</li>
          ) : (
            <>
              <li>Did you move the disk to other hardware? Put it back, and it opens by itself.</li>
              <li>Did you change its firmware or Secure Boot? Change that back and restart it, or use the recovery key.</li>
            </>
          )}
        </ul>
      </div>
      <ConnectionNotice lost={poll.lost} trying={poll.trying} again={poll.again} />
    </CardPage>
  );
}

/** The box stops its services, mounts the data and starts them again: it is away for a moment, which is no loss of connection. */
function OpenedPage() {
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), SLOW_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <CardPage title="Unlocked">
      <Heading turn="opened">That was the right key</Heading>
      {slow ? (
        <Notice kind="warn" urgent>
          <p>This takes longer than usual. Unplug the box for ten seconds and unlock it once more; if a screen is attached, look there for a reason.</p>
        </Notice>
      ) : (
        <Progress reason="The box opens its data and starts everything again. It may not answer for a moment; this page goes on by itself." />
      )}
      {/* A page cannot ask about a certificate, so a browser that does not know the household's finds nobody until it is reloaded. */}
      <p class="quiet">
        Nothing happens within a minute? Load the page again: the box then uses its own certificate, and the browser may have to ask you about it. Had
        you given the box another name? Then it is found under that name.
      </p>
      <div class="actions">
        <button type="button" class="button button-quiet" onClick={() => location.reload()}>
          Load the page again
        </button>
      </div>
    </CardPage>
  );
}

function UnlockForm({ label, takesPassphrase, onOpened }: { label: string; takesPassphrase: boolean; onOpened: () => void }) {
  const called = label.charAt(0).toLowerCase() + label.slice(1);

  async function unlock(key: string) {
    try {
      await api.unlock(key);
    } catch (error) {
      // Without words of its own it is gone already, to start its services anew.
      if (unlockTrouble(error) !== undefined) throw error;
    }
  }

  return (
    <KeyForm
      label={label}
      takesPassphrase={takesPassphrase}
      hint={label === "Passphrase" ? undefined : "Of the recovery key all nine groups, in capital or small letters, with or without dashes."}
      missing={`Type the ${called}, then unlock.`}
      verb="Unlock"
      trying="Trying the key. This takes a moment, so that guessing is slow."
      refused="The box did not take it."
      send={unlock}
      onDone={onOpened}
    />
  );
}
