import { useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import type { WifiNetwork } from "../api/types";
import { networkDetail, strength } from "../logic/wifi";
import { StatusWord } from "./status";

/** More are shown when asked for: in a town there are dozens, and one's own is among the strongest. */
const SHOWN_AT_FIRST = 6;

interface Props {
  networks: WifiNetwork[];
  /** The network whose form is open, in place of its buttons. */
  open: string | undefined;
  form: ComponentChildren;
  busy: boolean;
  onOpen: (network: WifiNetwork) => void;
  onJoin: (network: WifiNetwork) => void;
  onForget: (network: WifiNetwork) => void;
}

/** Networks, each with what can be done with it. */
export function NetworkList({ networks, open, form, ...acts }: Props) {
  const [all, setAll] = useState(false);
  if (networks.length === 0) return null;
  const shown = all || networks.length <= SHOWN_AT_FIRST + 1 ? networks : networks.filter(({ ssid }, at) => at < SHOWN_AT_FIRST || ssid === open);
  return (
    <>
      <ul class="rows">
        {shown.map((network) => (
          <NetworkRow key={network.ssid} network={network} form={network.ssid === open ? form : null} {...acts} />
        ))}
      </ul>
      {shown.length < networks.length ? (
        <button type="button" class="link" onClick={() => setAll(true)}>
          Show all {networks.length} networks
        </button>
      ) : null}
    </>
  );
}

type RowProps = Omit<Props, "networks" | "open"> & { network: WifiNetwork };

function NetworkRow({ network, form, busy, onOpen, onJoin, onForget }: RowProps) {
  const { ssid, security, signal, is_known: isKnown, is_joined: isJoined } = network;
  const canJoin = !isJoined && signal !== null && security !== "unsupported" && !form;
  return (
    <li class="row">
      <Bars signal={signal} />
      <div class="row-main">
        <span class="row-name wifi-name">{ssid}</span>
        {isJoined ? <StatusWord tone="good">Connected</StatusWord> : null}
        <p class="row-detail">{networkDetail(network)}</p>
        {canJoin || isKnown ? (
          <div class={isKnown ? "wifi-acts" : "wifi-acts wifi-acts-beside"}>
            {canJoin ? (
              <button
                type="button"
                class="button button-quiet button-small"
                data-opens={ssid}
                aria-disabled={busy}
                onClick={() => (busy ? undefined : isKnown ? onJoin(network) : onOpen(network))}
              >
                {isKnown ? "Join" : "Join…"}
                <span class="unseen"> {ssid}</span>
              </button>
            ) : null}
            {isKnown ? (
              <button type="button" class="button button-quiet button-small" aria-disabled={busy} onClick={() => (busy ? undefined : onForget(network))}>
                Forget…<span class="unseen"> {ssid}</span>
              </button>
            ) : null}
          </div>
        ) : null}
        {form ? <div class="wifi-here">{form}</div> : null}
      </div>
    </li>
  );
}

/** Four bars. The picture says nothing that the words beside it do not say. */
function Bars({ signal }: { signal: number | null }) {
  const { bars } = strength(signal);
  return (
    <svg class="bars" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
      {[1, 2, 3, 4].map((bar) => (
        <rect key={bar} class={bar <= bars ? "bar" : "bar bar-off"} x={bar * 5 - 2} y={20 - bar * 4} width="3.2" height={bar * 4} rx="1" />
      ))}
    </svg>
  );
}
