import { useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import type { Wifi, WifiWish } from "../api/types";
import { outcomeOf, wishTrouble, type Attempt, type Outcome } from "../logic/wifi";

interface Attempting {
  /** What the box is on its way to. */
  trying: Attempt | undefined;
  /** What came of it. */
  outcome: (Outcome & { ssid: string }) | undefined;
  /** A wish is on its way to the box. */
  sending: boolean;
  /** Why the last wish was not taken. */
  trouble: string | undefined;
  /** Tells the box; whether it took it. */
  send: (wish: WifiWish) => Promise<boolean>;
  /** The same, and follows what comes of it. */
  join: (wish: WifiWish, ssid: string) => Promise<void>;
  /** Takes what was said away. */
  clear: () => void;
}

/** Wishes, and an attempt to join a network that is followed from report to report. `asked`: when the box was asked for `wifi`. */
export function useAttempt(wifi: Wifi, asked: number, again: () => Promise<void>): Attempting {
  const [trying, setTrying] = useState<Attempt & { since: number }>();
  const [outcome, setOutcome] = useState<Outcome & { ssid: string }>();
  const [sending, setSending] = useState(false);
  const [trouble, setTrouble] = useState<string>();

  useEffect(() => {
    // An older report tells of an older attempt.
    if (!trying || asked < trying.since) return;
    const found = outcomeOf(trying, wifi);
    if (!found) return;
    setTrying(undefined);
    setOutcome({ ...found, ssid: trying.ssid });
  }, [trying, wifi, asked]);

  function clear() {
    setTrouble(undefined);
    setOutcome(undefined);
  }

  async function send(wish: WifiWish): Promise<boolean> {
    clear();
    setSending(true);
    try {
      await api.wishWifi(wish);
      return true;
    } catch (error) {
      setTrouble(wishTrouble(error));
      return false;
    } finally {
      setSending(false);
    }
  }

  async function join(wish: WifiWish, ssid: string) {
    const fromOwn = wifi.state === "access-point";
    if (!(await send(wish))) return;
    setTrying({ ssid, fromOwn, since: performance.now() });
    void again();
  }

  return { trying, outcome, sending, trouble, send, join, clear };
}
