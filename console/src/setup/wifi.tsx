import { useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import type { Network } from "../api/types";
import { ConnectionNotice } from "../ui/lost";
import { CardPage, Heading } from "../ui/page";
import { usePoll } from "../ui/poll";
import { Progress } from "../ui/status";
import { WifiPart } from "../ui/wifi";

const REFRESH_MS = 5000;
/** While the box is on its way into another network. */
const QUICK_MS = 1500;

async function askBox(): Promise<{ network: Network; asked: number }> {
  const asked = performance.now();
  return { network: await api.networkLinks(), asked };
}

/** Only for a box that is its own network, because no cable is in: the way into the network at home. */
export function WifiStep({ url, onOver }: { url: string; onOver: () => void }) {
  const [isQuick, setIsQuick] = useState(false);
  const poll = usePoll(askBox, isQuick ? QUICK_MS : REFRESH_MS);
  const [isOffered, setIsOffered] = useState(false);
  const wifi = poll.data?.network.wifi;

  useEffect(() => {
    if (isOffered) return;
    if (wifi?.state === "access-point") setIsOffered(true);
    // The choice is on the page Network too.
    else if (poll.data || poll.refusal || poll.lost) onOver();
  }, [poll.data, poll.refusal, poll.lost]);

  if (!isOffered || !poll.data || !wifi) {
    return (
      <CardPage title="Set up">
        <Heading>One moment</Heading>
        <Progress reason="Looking how this box is connected." />
      </CardPage>
    );
  }
  const isIn = wifi.state === "joined";
  return (
    <CardPage title="Wi-Fi">
      <Heading turn="wifi">
        Join your <span class="whole">Wi-Fi</span> at home
      </Heading>
      <p class="lead">No cable is in. Type the name and the password of your Wi-Fi, and the box is in your network at home from now on.</p>
      <WifiPart wifi={wifi} asked={poll.data.asked} links={poll.data.network.links} address={url} again={poll.again} lost={poll.lost} onQuick={setIsQuick} />
      <div class="actions">
        <button type="button" class={isIn ? "button" : "button button-quiet"} onClick={onOver}>
          {isIn ? "Continue" : "Go on without"}
        </button>
      </div>
      {/* On the way into a network it is expected, and said there. */}
      <ConnectionNotice lost={poll.lost && !isQuick} trying={poll.trying} again={() => void poll.again()} />
    </CardPage>
  );
}
