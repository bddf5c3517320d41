import type { ComponentChildren } from "preact";
import type { Link } from "../../api/types";
import { formatDuration } from "../../logic/format";
import { linkName, linkState } from "../../logic/words";
import { StatusWord } from "../../ui/status";

/** Every link with its state and addresses. `now` is the box's own time in Unix seconds. */
export function Links({ links, now }: { links: Link[]; now: number }) {
  if (links.length === 0) return <NoLinks />;
  return (
    <ul class="rows">
      {links.map((link) => (
        <LinkRow key={link.name} link={link} now={now} />
      ))}
    </ul>
  );
}

export function NoLinks() {
  return <p class="quiet">The box has no network device it knows. Is a cable or adapter missing?</p>;
}

export function LinkRow({ link, now }: { link: Link; now: number }) {
  return (
    <LinkFrame link={link}>
      {link.addresses.length > 0 ? (
        <ul class="addresses">
          {link.addresses.map((address) => (
            <li key={address}>{address}</li>
          ))}
        </ul>
      ) : null}
      <p class="row-detail">{linkDetail(link, now)}</p>
    </LinkFrame>
  );
}

/** The row of a link: which one it is and its state, and below what there is to say of it. */
export function LinkFrame({ link, children }: { link: Link; children: ComponentChildren }) {
  const { word, tone } = linkState(link);
  return (
    <li class="row">
      <LinkSign kind={link.kind} />
      <div class="row-main">
        <span class="row-name">
          {linkName(link)} <span class="code-name">{link.name}</span>
        </span>
        <StatusWord tone={tone}>{word}</StatusWord>
        {children}
      </div>
    </li>
  );
}

const SIGNS: Record<string, string> = {
  ethernet: "M6 4h12v10H6zM9 14v3h6v-3M12 17v3M9.5 4v4M12 4v4M14.5 4v4",
  wifi: "M3 9a13 13 0 0 1 18 0M6.2 12.4a8.4 8.4 0 0 1 11.6 0M9.3 15.8a4 4 0 0 1 5.4 0M12 19h.01",
  other: "M4 12h16M12 4v16",
};

/** Cable or radio. The picture says nothing that the name beside it does not say. */
function LinkSign({ kind }: { kind: string }) {
  return (
    <svg class="link-sign" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
      <path d={SIGNS[kind] ?? SIGNS["other"]} />
    </svg>
  );
}

function linkDetail(link: Link, now: number): string {
  const left = (link.lease_expires_unix ?? 0) - now;
  const parts = [
    link.gateway ? `Router ${link.gateway}` : "",
    left > 0 ? `address lent for another ${formatDuration(left)}` : "",
    link.mac ? `hardware address ${link.mac}` : "",
  ];
  const text = parts.filter(Boolean).join(" · ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
