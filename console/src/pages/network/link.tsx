import type { Link, LinkReport, NetworkSettings } from "../../api/types";
import { linkFacts, originWords } from "../../logic/link";
import { reasonSentence } from "../../logic/words";
import { useEditing } from "../../ui/editing";
import { LinkForm } from "./linkform";
import { LinkFrame, LinkRow, NoLinks } from "./links";
import type { Change } from "./settingsform";

interface Props {
  links: Link[];
  /** The box's own time in Unix seconds. */
  now: number;
  settings: NetworkSettings;
  owner: boolean;
  change: Change;
}

/** Every link with all that is known of it, and the form that changes it. */
export function LinksCard({ links, now, ...rest }: Props) {
  return (
    <section class="card" aria-labelledby="links-title">
      <h2 id="links-title">Connections</h2>
      {links.length === 0 ? <NoLinks /> : null}
      <ul class="rows">
        {links.map((link) =>
          link.report ? <WholeLink key={link.name} link={link} report={link.report} now={now} {...rest} /> : <LinkRow key={link.name} link={link} now={now} />,
        )}
      </ul>
    </section>
  );
}

type WholeProps = Omit<Props, "links"> & { link: Link; report: LinkReport };

function WholeLink({ link, report, now, settings, owner, change }: WholeProps) {
  const editing = useEditing();
  return (
    <LinkFrame link={link}>
      <div class="link-facts">
        {report.addresses.length > 0 ? (
          <ul class="origins">
            {report.addresses.map((own) => (
              <li key={own.address}>
                <span class="origin-address">
                  {own.address}/{own.prefix}
                </span>{" "}
                {originWords(own, now)}
              </li>
            ))}
          </ul>
        ) : null}
        {report.problems.map((problem) => (
          <p key={problem} class="link-problem">
            {reasonSentence(problem)}
          </p>
        ))}
        <ul class="plain quiet">
          {linkFacts(link, report).map((fact) => (
            <li key={fact}>{fact}</li>
          ))}
        </ul>
        {editing.isOpen ? (
          <LinkForm link={link} settings={settings} change={change} onClose={editing.close} />
        ) : owner ? (
          <button type="button" class="button button-quiet button-small" ref={editing.opener} onClick={editing.open}>
            Change address…<span class="unseen"> of {link.name}</span>
          </button>
        ) : null}
      </div>
    </LinkFrame>
  );
}
