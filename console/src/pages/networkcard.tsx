import { ApiError } from "../api/client";
import type { Network } from "../api/types";
import { Links } from "./network/links";

/** Under which name and addresses the box is found. `now` is the box's own time in Unix seconds. */
export function NetworkCard({ network, now, onNetwork }: { network: Network | ApiError; now: number; onNetwork: () => void }) {
  return (
    <section class="card" aria-labelledby="network-title">
      <div class="card-head">
        <h2 id="network-title">Network</h2>
        <button type="button" class="link" onClick={onNetwork}>
          {hasRadio(network) ? "Wi-Fi, names, firewall" : "Names, time, firewall"}
        </button>
      </div>
      {network instanceof ApiError ? (
        <p class="quiet">{network.message}</p>
      ) : (
        <>
          <p>
            Found at <strong class="address-inline">https://{network.hostname}.local</strong>
          </p>
          {network.wifi?.state === "joined" ? (
            <p>
              In the Wi-Fi network <strong class="address-inline">{network.wifi.network}</strong>
            </p>
          ) : null}
          <Links links={network.links} now={now} />
        </>
      )}
    </section>
  );
}

function hasRadio(network: Network | ApiError): boolean {
  return !(network instanceof ApiError) && network.wifi !== null && network.wifi.state !== "absent";
}
