import { useState } from "preact/hooks";
import { DNS_PROFILE_PATH } from "../../api/client";
import type { Network, NetworkSettings, Resolver } from "../../api/types";
import { resolverFacts, serverDetail, serverState } from "../../logic/network";
import { explainFailure } from "../../logic/failure";
import { withHomeAsking } from "../../logic/servers";
import { useEditing } from "../../ui/editing";
import { Notice, StatusWord } from "../../ui/status";
import { Switch } from "../../ui/switch";
import { ServersForm } from "./servers";
import type { Change } from "./settingsform";

interface Props {
  resolver: Resolver;
  network: Network;
  settings: NetworkSettings;
  owner: boolean;
  change: Change;
}

/** Where the box looks names up, and whether devices at home may use it for that too. */
export function NamesCard({ resolver, network, settings, owner, change }: Props) {
  const editing = useEditing();
  return (
    <section class="card" aria-labelledby="names-title">
      <h2 id="names-title">Name servers</h2>
      <p class="quiet">They tell the box which address a name such as example.com has. It asks over encrypted connections only.</p>
      {editing.isOpen ? (
        <ServersForm settings={settings} change={change} onClose={editing.close} />
      ) : (
        <>
          <Servers resolver={resolver} builtIn={settings.resolver.upstreams.length === 0} />
          {owner ? (
            <div class="actions actions-start">
              <button type="button" class="button button-quiet" ref={editing.opener} onClick={editing.open}>
                Change name servers…
              </button>
            </div>
          ) : null}
        </>
      )}
      <HomeDevices network={network} settings={settings} owner={owner} change={change} />
    </section>
  );
}

function Servers({ resolver, builtIn }: { resolver: Resolver; builtIn: boolean }) {
  return (
    <>
      <ul class="rows">
        {resolver.upstreams.map((server, at) => {
          const { word, tone } = serverState(server);
          return (
            <li class="row" key={at}>
              <div class="row-main">
                <span class="row-name">{server.name}</span>
                <StatusWord tone={tone}>{word}</StatusWord>
                <p class="row-detail">{serverDetail(server)}</p>
              </div>
            </li>
          );
        })}
      </ul>
      {builtIn ? <p class="quiet">These are the built-in ones.</p> : null}
      <ul class="plain quiet">
        {resolverFacts(resolver).map((fact) => (
          <li key={fact}>{fact}</li>
        ))}
      </ul>
    </>
  );
}

function HomeDevices({ network, settings, owner, change }: Omit<Props, "resolver">) {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const allowed = settings.resolver.serve_lan;

  async function toggle() {
    setBusy(true);
    setTrouble(undefined);
    await change((now) => withHomeAsking(now, !allowed)).catch((error: unknown) => setTrouble(explainFailure(error)));
    setBusy(false);
  }

  return (
    <div class="aside">
      <Switch label="Devices at home may ask this box" on={allowed} disabled={!owner || busy} onToggle={() => void toggle()}>
        Their questions then leave your home encrypted too, and nobody on the way can read which sites they visit.
      </Switch>
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      {allowed ? <Guide network={network} /> : null}
    </div>
  );
}

/** How to make each kind of device ask the box. */
function Guide({ network }: { network: Network }) {
  const name = `${network.hostname}.local`;
  // Routers ask for IPv4 addresses; those of IPv6 change with the provider.
  const addresses = network.links.flatMap((link) => link.addresses.filter((address) => address.includes("."))).map((address) => address.replace(/\/\d+$/, ""));
  return (
    <dl class="guide">
      <div>
        <dt>iPhone, iPad, Mac</dt>
        <dd>
          Open this page on the device and{" "}
          <a class="link" href={DNS_PROFILE_PATH} download="hearth-dns.mobileconfig">
            download the profile
          </a>
          , then Settings → Profile downloaded → Install. Trust its certificate under General → About → Certificate trust settings. Away from home the
          device goes on as before.
        </dd>
      </div>
      <div>
        <dt>Android, and others with DNS over TLS</dt>
        <dd>
          The name for Private DNS is <strong class="code-name">{name}</strong>. Many Androids accept only certificates of public authorities there and
          say that they cannot connect; then leave it on Automatic and use the router.
        </dd>
      </div>
      <div>
        <dt>Everything at once, by the router</dt>
        <dd>
          Give the router this box as DNS server for the home network:{" "}
          {addresses.length > 0 ? <strong class="code-name">{addresses.join(" or ")}</strong> : "its address, once it has one"}.
          Have the router always give the box the same address first.
        </dd>
      </div>
    </dl>
  );
}
