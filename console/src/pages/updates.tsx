import { useCallback, useState } from "preact/hooks";
import { api } from "../api/client";
import type { Updates } from "../api/updates";
import type { User } from "../api/types";
import { AreaPage } from "../ui/areapage";
import { useLoggedOut, usePoll } from "../ui/poll";
import { FileCard } from "./updates/file";
import { HistoryCard } from "./updates/history";
import { SettingsCard } from "./updates/settings";
import { StandingCard } from "./updates/standing";

const REFRESH_MS = 2000;

interface Props {
  user: User;
  onHome: () => void;
  onLoggedOut: () => void;
}

interface Known {
  updates: Updates;
  /** The box's clock, by which updates are dated. */
  now: number;
}

async function askBox(): Promise<Known> {
  const [updates, { time_unix: now }] = await Promise.all([api.updates(), api.system()]);
  return { updates, now };
}

/** Which system runs, what there is, and what became of the last ones. */
export function UpdatesPage({ onHome, onLoggedOut }: Props) {
  const poll = usePoll(askBox, REFRESH_MS);
  useLoggedOut(poll, onLoggedOut);
  const [done, setDone] = useState<string>();
  /** Counts what was done: the focus goes to the heading then. */
  const [turn, setTurn] = useState(0);

  const { again } = poll;
  const tell = useCallback(
    async (words: string) => {
      await again();
      setDone(words);
      setTurn((before) => before + 1);
      scrollTo(0, 0);
    },
    [again],
  );

  return (
    <AreaPage title="Updates" asking="Asking the box for its updates." {...{ poll, done, turn, onHome }}>
      {({ updates, now }) => (
        <div class="cards">
          <div class="column">
            <StandingCard {...{ updates, now, again }} />
            <HistoryCard history={updates.history} now={now} />
          </div>
          <div class="column">
            <SettingsCard settings={updates.settings} tell={tell} />
            <FileCard tell={tell} />
          </div>
        </div>
      )}
    </AreaPage>
  );
}
