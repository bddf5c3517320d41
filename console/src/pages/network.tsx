import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { api } from "../api/client";
import type { Network, NetworkSettings, System, User } from "../api/types";
import { nameConflict } from "../logic/network";
import { useFingerprint } from "../ui/fingerprint";
import { Certificate } from "../ui/certificate";
import { ConnectionNotice } from "../ui/lost";
import { Brand } from "../ui/mark";
import { Heading, useTitle } from "../ui/page";
import { usePoll } from "../ui/poll";
import { Reasons } from "../ui/reasons";
import { Notice, Progress } from "../ui/status";
import { FirewallCard } from "./network/firewall";
import { LinksCard } from "./network/link";
import { NamesCard } from "./network/names";
import type { Change } from "./network/settingsform";
import { TimeCard } from "./network/time";
import { Trial } from "./network/trial";
import { WifiCard } from "./network/wifi";

const REFRESH_MS = 5000;
/** While the box is on its way into another network. */
const QUICK_MS = 1500;

interface Props {
  user: User;
  onHome: () => void;
  onLoggedOut: () => void;
}

interface Known {
  network: Network;
  settings: NetworkSettings;
  system: System;
  /** When this was so, in milliseconds of this device's clock. */
  at: number;
  /** When the box was asked, in milliseconds of `performance.now`. */
  asked: number;
}

async function askBox(): Promise<Known> {
  const asked = performance.now();
  const [network, settings, system] = await Promise.all([api.network(), api.networkSettings(), api.system()]);
  return { network, settings, system, at: Date.now(), asked };
}

/** Everything about the home network: how it is, who may reach what, and what the owner chose for it. */
export function NetworkPage({ user, onHome, onLoggedOut }: Props) {
  const [isQuick, setIsQuick] = useState(false);
  const poll = usePoll(askBox, isQuick ? QUICK_MS : REFRESH_MS);
  useTitle("Network");

  const loggedOut = poll.refusal?.status === 401;
  useEffect(() => {
    if (loggedOut) onLoggedOut();
  }, [loggedOut, onLoggedOut]);

  const { again } = poll;
  const [elsewhere, setElsewhere] = useState<string>();
  const before = useRef<Promise<void>>(Promise.resolve());
  /** One change after the other, each of what the box has by then: what this page shows may be older, and is sent whole. */
  const change = useCallback<Change>(
    (edit, to) => {
      const done = before.current.then(async () => {
        await api.tryNetworkSettings(edit(await api.networkSettings()));
        setElsewhere(to);
        await again();
      });
      before.current = done.catch(() => undefined);
      return done;
    },
    [again],
  );

  const known = poll.data;
  return (
    <div class="page">
      <header class="page-head">
        <Brand />
        <button type="button" class="button button-quiet button-small" onClick={onHome}>
          Back to home
        </button>
      </header>
      <main>
        <Heading>Network</Heading>
        {poll.refusal && !loggedOut ? (
          <Notice kind="bad" urgent>
            <p>{poll.refusal.message}</p>
          </Notice>
        ) : null}
        {known ? (
          <>
            <Names network={known.network} />
            <Parts known={known} owner={user.role === "owner"} change={change} again={again} lost={poll.lost} onQuick={setIsQuick} />
            <Trial left={known.network.trial_seconds_left} at={known.at} elsewhere={elsewhere} onKept={again} />
          </>
        ) : poll.refusal ? null : (
          <Progress reason="Asking the box about its network." />
        )}
      </main>
      {/* On the way into a Wi-Fi network it is expected, and said there. */}
      <ConnectionNotice lost={poll.lost && !isQuick} trying={poll.trying} again={poll.again} />
    </div>
  );
}

/** Under which name the box is found, and what is wrong. */
function Names({ network }: { network: Network }) {
  const conflict = nameConflict(network.name);
  return (
    <>
      <p class="lead">
        At home, this box is <strong class="address-inline">https://{network.hostname}.local</strong>
      </p>
      {conflict ? (
        <Notice kind="warn">
          <p>
            <strong>{conflict}</strong>
          </p>
          <p>Bookmark the new address, or give the other device another name and restart the box.</p>
        </Notice>
      ) : null}
      {/* What is wrong with Wi-Fi is said there. */}
      <Reasons title="The network works, but not everything is as it should be:" reasons={network.reasons.filter((reason) => reason !== network.wifi?.problem)} />
    </>
  );
}

type PartsProps = { known: Known; owner: boolean; change: Change; again: () => Promise<void>; lost: boolean; onQuick: (isQuick: boolean) => void };

function Parts({ known: { network, settings, system, asked }, owner, change, again, lost, onQuick }: PartsProps) {
  const print = useFingerprint();
  const radio = owner && network.wifi?.state !== "absent" ? network.wifi : null;
  const names = network.resolver ? <NamesCard resolver={network.resolver} network={network} settings={settings} owner={owner} change={change} /> : null;
  return (
    <div class="cards">
      <div class="column">
        <LinksCard links={network.links} now={system.time_unix} settings={settings} owner={owner} change={change} />
        {radio ? (
          <WifiCard wifi={radio} asked={asked} links={network.links} address={`https://${network.hostname}.local`} again={again} lost={lost} onQuick={onQuick} />
        ) : null}
        {radio ? null : names}
        {network.time ? <TimeCard time={network.time} /> : null}
      </div>
      <div class="column">
        {/* With one card more, so that the columns are of about one length. */}
        {radio ? names : null}
        {network.firewall ? <FirewallCard firewall={network.firewall} apps={network.apps.map(({ app }) => app)} /> : null}
        <Certificate fingerprint={print} />
      </div>
    </div>
  );
}
