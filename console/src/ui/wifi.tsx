import { useEffect, useRef, useState } from "preact/hooks";
import type { Link, Wifi, WifiNetwork } from "../api/types";
import { byReach, countries, draftProblems, forgetText, hasCable, isUnderWay, joinWish, networksFound, wayText, wifiState, type Draft, type DraftProblems } from "../logic/wifi";
import { reasonSentence } from "../logic/words";
import { Choice } from "./choice";
import { ConfirmDialog } from "./dialog";
import { Notice } from "./status";
import { useAttempt } from "./wifiattempt";
import { JoinForm, UnderWay } from "./wifijoin";
import { NetworkList } from "./wifilist";

/** How long the box looks around, as far as anybody can tell: it does not say when it is done. */
const LOOK_MS = 8000;
/** The form for a network whose name is typed. */
const OTHER = "";

export interface WifiProps {
  wifi: Wifi;
  /** When the box was asked for it, in milliseconds of `performance.now`. */
  asked: number;
  links: Link[];
  /** Where the box is at home, such as `https://hearth.local`. */
  address: string;
  again: () => Promise<void>;
  /** The box did not answer the last question. */
  lost: boolean;
  /** Whether something is under way that is worth asking for more often. */
  onQuick: (isQuick: boolean) => void;
}

/** Which network the box is in, which ones there are, and the way into them. */
export function WifiPart({ wifi, asked, links, address, again, lost, onQuick }: WifiProps) {
  const attempt = useAttempt(wifi, asked, again);
  const { outcome, trying, sending } = attempt;
  const isOwn = wifi.state === "access-point";
  const { near, far } = byReach(wifi.networks);
  /** Which form is open: that of a network, or of one whose name is typed. */
  const [open, setOpen] = useState<string | undefined>(isOwn && near.length === 0 ? OTHER : undefined);
  const [draft, setDraft] = useState<Draft>({ ssid: "", passphrase: "", isProtected: true });
  const [problems, setProblems] = useState<DraftProblems>({});
  const [faults, setFaults] = useState(0);
  const [takesFocus, setTakesFocus] = useState(false);
  const [forgetting, setForgetting] = useState<WifiNetwork>();
  const look = useLook();
  const root = useRef<HTMLDivElement>(null);
  const news = useRef<HTMLDivElement>(null);

  const underWay = isUnderWay(wifi) || trying !== undefined;
  const isQuick = sending || underWay || look.isOn;
  useEffect(() => {
    onQuick(isQuick);
    return () => onQuick(false);
  }, [isQuick, onQuick]);

  useEffect(() => {
    if (outcome?.kind === "joined") {
      setOpen(undefined);
      setDraft({ ssid: "", passphrase: "", isProtected: true });
      // What was pressed is gone.
      news.current?.focus();
    } else if (outcome?.kind === "refused" && outcome.isPassword) {
      const { ssid, words } = outcome;
      if (draft.ssid !== ssid) setDraft({ ssid, passphrase: "", isProtected: true });
      if (open === undefined || (open !== OTHER && open !== ssid)) setOpen(wifi.networks.some((each) => each.ssid === ssid) ? ssid : OTHER);
      wrong({ passphrase: words });
    }
  }, [outcome]);

  function wrong(found: DraftProblems) {
    setProblems(found);
    setFaults((before) => before + 1);
  }

  function openForm(network?: WifiNetwork) {
    attempt.clear();
    setTakesFocus(true);
    setProblems({});
    setDraft({ ssid: network?.ssid ?? "", passphrase: "", isProtected: network?.security !== "open" });
    setOpen(network?.ssid ?? OTHER);
  }

  function closeForm() {
    const closed = open;
    setOpen(undefined);
    setProblems({});
    // After the button is there again.
    setTimeout(() => [...(root.current?.querySelectorAll<HTMLElement>("[data-opens]") ?? [])].find((each) => each.dataset["opens"] === closed)?.focus());
  }

  function submit() {
    const found = draftProblems(draft);
    if (Object.keys(found).length > 0) return wrong(found);
    setProblems({});
    void attempt.join(joinWish(draft), draft.ssid);
  }

  const way = underWay ? (
    <UnderWay
      text={trying ? wayText(trying.ssid, lost) : wifiState(wifi).text}
      ssid={trying?.ssid ?? wifi.network}
      fromOwn={trying?.fromOwn ?? false}
      address={address}
    />
  ) : null;
  const form = (
    <JoinForm
      draft={draft}
      problems={problems}
      faults={faults}
      takesFocus={takesFocus}
      typesName={open === OTHER}
      busy={sending || trying !== undefined}
      way={trying ? way : null}
      trouble={open === undefined ? undefined : (attempt.trouble ?? (outcome?.kind === "refused" && !outcome.isPassword ? outcome.words : undefined))}
      onEdit={(next) => {
        setDraft({ ...draft, ...next });
        setProblems({});
      }}
      onSubmit={submit}
      {...(isOwn && near.length === 0 ? {} : { onCancel: closeForm })}
    />
  );
  const busy = sending || trying !== undefined;

  return (
    <div class="wifi" ref={root}>
      {/* Always in the page: of an element that comes with its words, screen readers often say nothing. */}
      <div role="status" class="wifi-news" ref={news} tabIndex={-1}>
        <p>{outcome?.kind === "joined" ? outcome.words : wifiState(wifi).text}</p>
        {look.said ? <p class="quiet">{look.isOn ? "The box looks around. That takes some seconds." : networksFound(near.length)}</p> : null}
      </div>
      {isOwn ? <OwnNetwork /> : null}
      {way && !(trying && open !== undefined) ? way : null}
      {open === undefined && attempt.trouble ? <Bad words={attempt.trouble} /> : null}
      {open === undefined && outcome?.kind === "refused" ? <Bad words={outcome.words} /> : null}
      {wifi.problem !== null && !outcome && !trying ? (
        <Notice kind="warn">
          <p>{reasonSentence(wifi.problem)}</p>
        </Notice>
      ) : null}
      <Country wifi={wifi} onChoose={(country) => attempt.send({ want: "country", country }).then(again)} />
      {near.length > 0 ? <h3 class="wifi-title">Networks in reach</h3> : null}
      <NetworkList
        networks={near}
        open={open}
        form={form}
        busy={busy}
        onOpen={openForm}
        onJoin={(network) => {
          setOpen(undefined);
          void attempt.join({ want: "join", ssid: network.ssid }, network.ssid);
        }}
        onForget={setForgetting}
      />
      {open !== undefined && !near.some(({ ssid }) => ssid === open) ? (
        // Its network may be out of sight for a moment: what was typed stays.
        form
      ) : (
        <div class="actions actions-start">
          {isOwn ? null : (
            <button
              type="button"
              class="button button-quiet"
              aria-disabled={look.isOn || busy}
              onClick={() => {
                if (look.isOn || busy) return;
                void attempt.send({ want: "look" }).then((isSent) => (isSent ? (look.begin(), again()) : undefined));
              }}
            >
              {look.isOn ? "Looking…" : "Look again"}
            </button>
          )}
          <button type="button" class="button button-quiet" data-opens={OTHER} aria-disabled={busy} onClick={() => (busy ? undefined : openForm())}>
            Another network…
          </button>
        </div>
      )}
      {far.length > 0 ? (
        <>
          <h3 class="wifi-title">Known, but not in reach</h3>
          <NetworkList networks={far} open={undefined} form={null} busy={busy} onOpen={openForm} onJoin={() => undefined} onForget={setForgetting} />
        </>
      ) : null}
      {forgetting ? (
        <ConfirmDialog
          title={`Forget “${forgetting.ssid}”?`}
          confirm="Forget it"
          onClose={() => setForgetting(undefined)}
          onConfirm={() => {
            setForgetting(undefined);
            void attempt.send({ want: "forget", ssid: forgetting.ssid }).then(again);
          }}
        >
          <p>{forgetText(forgetting, hasCable(links))}</p>
        </ConfirmDialog>
      ) : null}
    </div>
  );
}

function Bad({ words }: { words: string }) {
  return (
    <Notice kind="bad" urgent>
      <p>{words}</p>
    </Notice>
  );
}

function OwnNetwork() {
  return (
    <Notice kind="info">
      <p>Its name and its password are on the screen of the box. While it is on, the box cannot look around: type the name of your network.</p>
    </Notice>
  );
}

/** Where the box stands. Rules for radio differ. */
function Country({ wifi, onChoose }: { wifi: Wifi; onChoose: (code: string) => Promise<void> }) {
  /** Until the box has it, or has said no. */
  const [chosen, setChosen] = useState<string>();
  const [all] = useState(() => countries("en"));
  const unset = wifi.country === null ? [["", "Not chosen yet"] as const] : [];
  const foreign = wifi.country === null || all.some(([code]) => code === wifi.country) ? [] : [[wifi.country, wifi.country] as const];
  async function choose(code: string) {
    setChosen(code);
    if (code !== "") await onChoose(code);
    setChosen(undefined);
  }

  return (
    <div class="wifi-country">
      <Choice label="Country the box stands in" value={chosen ?? wifi.country ?? ""} options={[...unset, ...foreign, ...all]} onValue={(code) => void choose(code)} />
      <p class="field-hint">Rules for radio differ by country. Without the right ones the box may miss networks.</p>
    </div>
  );
}

/** A look around, which ends by itself. */
function useLook(): { isOn: boolean; said: boolean; begin: () => void } {
  const [state, setState] = useState<"never" | "on" | "over">("never");
  useEffect(() => {
    if (state !== "on") return undefined;
    const timer = setTimeout(() => setState("over"), LOOK_MS);
    return () => clearTimeout(timer);
  }, [state]);
  return { isOn: state === "on", said: state !== "never", begin: () => setState("on") };
}
