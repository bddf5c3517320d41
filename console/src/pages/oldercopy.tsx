import { useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import type { OlderCopy, Status } from "../api/types";
import { KeyForm } from "../ui/keyform";
import { ConnectionNotice } from "../ui/lost";
import { CardPage, Heading } from "../ui/page";
import { usePoll } from "../ui/poll";
import { Reasons } from "../ui/reasons";
import { Progress } from "../ui/status";

const LOOK_MS = 3000;

/** Somebody put the disk back to an older copy: the box uses nothing of it until its owner accepts that. */
export function OlderCopyPage({ status, copy, again }: { status: Status; copy: OlderCopy; again: () => void }) {
  const poll = usePoll(api.status, LOOK_MS);
  const [accepted, setAccepted] = useState(false);
  const isOver = poll.data !== undefined && !poll.data.rollback;
  useEffect(() => {
    if (isOver) again();
  }, [isOver, again]);

  return (
    <CardPage title="Older copy">
      <Heading turn={accepted ? "accepted" : "found"}>{accepted ? "The older copy is accepted" : "This disk is an older copy"}</Heading>
      {accepted ? (
        <>
          <Progress reason="The box starts its service anew with it. It may not answer for a moment; this page goes on by itself." />
          <p class="quiet">Nothing happens within a minute? Load the page again: the box then uses its own certificate, and the browser may have to ask you about it.</p>
          <div class="actions">
            <button type="button" class="button button-quiet" onClick={() => location.reload()}>
              Load the page again
            </button>
          </div>
        </>
      ) : (
        <>
          <p class="lead">
            {copy.store === null
              ? "What the box had saved is empty, or from before it was protected."
              : `What lies on it is of start number ${copy.store}; the last start of this box was number ${copy.last}.`}{" "}
            Passwords that were changed since would be valid again, so the box uses nothing of it and lets nobody log in.
          </p>
          <Reasons title="What the box says" reasons={status.reasons} />
          <ul class="advice">
            <li>Did you put an image of the disk back, or an old disk in? Put the newer one back, and the box goes on as before.</li>
            <li>Nobody of you did? Then somebody had the box in their hands. Accept nothing before you know why.</li>
            <li>There is nothing newer? Then accept this copy with the recovery key. Everything since is lost, and you should change all passwords.</li>
            <li>There is no recovery key on paper? Then only the newer disk helps, or erasing the box and beginning again.</li>
          </ul>
          <KeyForm
            label="Recovery key"
            hint="All nine groups from the paper, in capital or small letters, with or without dashes."
            missing="Type the recovery key, then accept the copy."
            verb="Accept this copy"
            trying="Trying the key. This takes a moment."
            refused="The box did not take it."
            send={(key) => api.acceptOlderCopy(key, copy)}
            onDone={() => setAccepted(true)}
          />
        </>
      )}
      <ConnectionNotice lost={poll.lost} trying={poll.trying} again={poll.again} />
    </CardPage>
  );
}
