import { useEffect } from "preact/hooks";
import { api } from "../api/client";
import type { Status } from "../api/types";
import { usePoll } from "../ui/poll";
import { CardPage, Heading } from "../ui/page";
import { ConnectionNotice } from "../ui/lost";
import { Reasons } from "../ui/reasons";

/** The box runs, but its data is still encrypted. */
export function LockedPage({ status, again }: { status: Status; again: () => void }) {
  const poll = usePoll(api.status, 5000);
  const now = poll.data ?? status;
  useEffect(() => {
    if (now.state !== "locked") again();
  }, [now.state, again]);

  return (
    <CardPage title="Locked">
      <Heading>Your box is locked</Heading>
      <p class="lead">It is running, but it has not opened its encrypted disk yet. Your data is safe; nobody can read it, and neither can the box.</p>
      <Reasons title="What the box says" reasons={now.reasons} />
      <div class="aside">
        <h2>What to do</h2>
        <ul class="advice">
          <li>If the reason above names something to do, do that first.</li>
          <li>Otherwise unplug the box for ten seconds and plug it in again.</li>
          <li>Did you move the disk to other hardware? Then only your recovery key opens it.</li>
        </ul>
      </div>
      <p>This page goes on by itself as soon as the box is unlocked.</p>
      <ConnectionNotice lost={poll.lost} trying={poll.trying} again={poll.again} />
    </CardPage>
  );
}
