import { useRef, useState } from "preact/hooks";
import { TRIAL_SECONDS } from "../../api/client";
import type { Link, NetworkSettings } from "../../api/types";
import { consoleAfter, linkDraft, linkFault, linkProblems, withLink, type Family, type FamilyDraft, type LinkDraft, type LinkProblems, type Way } from "../../logic/linkform";
import { Choice } from "../../ui/choice";
import { Field } from "../../ui/field";
import { Fold } from "../../ui/fold";
import { Notice } from "../../ui/status";
import { SettingsForm, type Change } from "./settingsform";

interface Props {
  link: Link;
  settings: NetworkSettings;
  change: Change;
  onClose: () => void;
}

const PLAIN = { autocomplete: "off", autocapitalize: "none", spellcheck: false } as const;

/** How one link gets its addresses. */
export function LinkForm({ link, settings, change, onClose }: Props) {
  const [draft, setDraft] = useState<LinkDraft>(() => linkDraft(settings, link));
  const [problems, setProblems] = useState<LinkProblems>({});
  const form = useRef<HTMLFormElement>(null);
  /** Where in the list of links this one was sent. */
  const place = useRef(-1);
  const elsewhere = consoleAfter(draft, link, location);

  function show(found: LinkProblems): boolean {
    setProblems(found);
    return Object.keys(found).length > 0;
  }

  async function save() {
    const edit = (now: NetworkSettings) => {
      const wanted = withLink(now, link, draft);
      place.current = wanted.at;
      return wanted.settings;
    };
    await change(edit, elsewhere);
  }

  function edit(next: Partial<LinkDraft>) {
    setDraft({ ...draft, ...next });
    setProblems({});
  }

  const family = (which: Family) => ({ draft: draft[which], problems, which, onEdit: (next: Partial<FamilyDraft>) => edit({ [which]: { ...draft[which], ...next } }) });
  return (
    <SettingsForm
      form={form}
      class="link-form"
      label={`Addresses of ${link.name}`}
      action="Try this address"
      isWrong={() => show(linkProblems(draft))}
      save={save}
      showRefusal={({ field, message }) => show(linkFault(field, message, place.current) ?? {})}
      warning={
        elsewhere ? (
          <Notice kind="warn">
            <p>
              The console may move to <strong class="address-inline">{elsewhere}</strong>; open it there and keep the settings within {TRIAL_SECONDS} s.
            </p>
          </Notice>
        ) : null
      }
      whenLost={elsewhere ? <Moved to={elsewhere} /> : null}
      onClose={onClose}
    >
      <FamilyFields {...family("ipv4")} />
      <Fold title="IPv6" isOpen={draft.ipv6.way !== "automatic"} isWrong={Boolean(problems["ipv6.addresses"] ?? problems["ipv6.gateway"])}>
        <FamilyFields {...family("ipv6")} />
      </Fold>
      <Fold title="More" isOpen={draft.mtu !== "" || draft.metric !== ""} isWrong={Boolean(problems.mtu ?? problems.metric)}>
        <Field
          label="MTU"
          value={draft.mtu}
          onValue={(mtu) => edit({ mtu })}
          error={problems.mtu}
          hint="Largest packet in bytes; empty leaves it to the network"
          input={{ ...PLAIN, placeholder: String(link.report?.mtu ?? 1500) }}
        />
        <Field
          label="Preference"
          value={draft.metric}
          onValue={(metric) => edit({ metric })}
          error={problems.metric}
          hint="Of several ways to the Internet the one with the lowest number is taken; empty leaves it to the box"
          input={PLAIN}
        />
      </Fold>
    </SettingsForm>
  );
}

/** Where to go when this page has lost the box. */
export function Moved({ to }: { to: string }) {
  return (
    <p>
      If this page stops answering, open{" "}
      <a class="address-inline" href={to}>
        {to}
      </a>
      , log in and keep the settings there.
    </p>
  );
}

const WAYS: Record<Family, { label: string; options: [Way, string][]; example: string; gateway: string }> = {
  ipv4: {
    label: "Address",
    options: [
      ["automatic", "Get an address automatically"],
      ["static", "Fixed address"],
      ["off", "No IPv4 address"],
    ],
    example: "192.168.1.20/24",
    gateway: "192.168.1.1",
  },
  ipv6: {
    label: "IPv6 address",
    options: [
      ["automatic", "Get addresses automatically"],
      ["static", "Fixed address"],
      ["off", "No IPv6"],
    ],
    example: "2001:db8::20/64",
    gateway: "fe80::1",
  },
};

interface FamilyProps {
  which: Family;
  draft: FamilyDraft;
  problems: LinkProblems;
  onEdit: (next: Partial<FamilyDraft>) => void;
}

function FamilyFields({ which, draft, problems, onEdit }: FamilyProps) {
  const { label, options, example, gateway } = WAYS[which];
  const name = which === "ipv6" ? "IPv6 " : "";
  return (
    <>
      <Choice label={label} value={draft.way} options={options} onValue={(way) => onEdit({ way: way as Way })} />
      {draft.way === "static" ? (
        <>
          <Field
            label={`Fixed ${name}address`}
            value={draft.addresses}
            onValue={(addresses) => onEdit({ addresses })}
            error={problems[`${which}.addresses`]}
            hint={`With the length of its prefix: ${example}`}
            input={PLAIN}
          />
          <Field
            label={which === "ipv6" ? "IPv6 router" : "Router"}
            value={draft.gateway}
            onValue={(typed) => onEdit({ gateway: typed })}
            error={problems[`${which}.gateway`]}
            hint={`The way to the Internet, such as ${gateway}; empty for none`}
            input={PLAIN}
          />
        </>
      ) : null}
    </>
  );
}
