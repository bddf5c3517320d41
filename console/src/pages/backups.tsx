import { useCallback, useState } from "preact/hooks";
import { api } from "../api/client";
import type { Backups } from "../api/backups";
import type { User } from "../api/types";
import { AreaPage } from "../ui/areapage";
import { useLoggedOut, usePoll } from "../ui/poll";
import { BackupsForm } from "./backups/form";
import { KitCard } from "./backups/kitcard";
import { KitFlow } from "./backups/kitflow";
import { LeftOutCard } from "./backups/leftout";
import { PlaceCard } from "./backups/place";
import { SavedFilesCard } from "./backups/savedfiles";
import { StandingCard } from "./backups/standing";

const REFRESH_MS = 3000;

interface Props {
  user: User;
  onHome: () => void;
  onLoggedOut: () => void;
}

interface Known {
  backups: Backups;
  /** The box's clock, by which backups are dated. */
  now: number;
}

async function askBox(): Promise<Known> {
  const [backups, { time_unix: now }] = await Promise.all([api.backups(), api.system()]);
  return { backups, now };
}

/** Where backups go, how they went, and proving one. */
export function BackupsPage({ user, onHome, onLoggedOut }: Props) {
  const poll = usePoll(askBox, REFRESH_MS);
  useLoggedOut(poll, onLoggedOut);
  const [showsKit, setShowsKit] = useState(false);
  const [done, setDone] = useState<string>();
  /** Counts what was done: other cards are shown then, and the focus goes to the heading. */
  const [turn, setTurn] = useState(0);

  const { again } = poll;
  const tell = useCallback(
    async (words?: string) => {
      // First what the box has now: until then the old cards would stand below the new words.
      await again();
      setDone(words);
      setTurn((before) => before + 1);
      scrollTo(0, 0);
    },
    [again],
  );

  if (showsKit && poll.data) {
    const leave = (words?: string) => {
      setShowsKit(false);
      void tell(words);
    };
    return (
      <KitFlow
        target={poll.data.backups.settings.target}
        userName={user.name}
        onLater={() => leave()}
        onDone={() => leave("Keep the paper safe, away from the box.")}
      />
    );
  }
  return (
    <AreaPage title="Backups" asking="Asking the box for its backups." {...{ poll, done, turn, onHome }}>
      {({ backups, now }) =>
        backups.settings.target === null ? (
          <div class="cards">
            <div class="column">
              <FirstCard backups={backups} onChosen={() => void tell("Backups are set up. The first one begins by itself within minutes.")} />
            </div>
            <div class="column">
              <SavedCard />
              <LeftOutCard backups={backups} />
            </div>
          </div>
        ) : (
          <div class="cards">
            <div class="column">
              <StandingCard backups={backups} now={now} again={again} />
              <SavedFilesCard backups={backups} now={now} />
            </div>
            <div class="column">
              <KitCard backups={backups} now={now} onKit={() => setShowsKit(true)} />
              <PlaceCard settings={backups.settings} tell={tell} />
              <LeftOutCard backups={backups} />
            </div>
          </div>
        )
      }
    </AreaPage>
  );
}

/** Leads whoever has none to their first backup. */
function FirstCard({ backups, onChosen }: { backups: Backups; onChosen: () => void }) {
  return (
    <section class="card" aria-labelledby="first-title">
      <h2 id="first-title">Set up backups</h2>
      <p>
        No backups are made yet. If this box breaks, its accounts, settings and private files are gone with it. A USB stick is enough: plug it into the box, and it
        does the rest by itself.
      </p>
      <BackupsForm settings={backups.settings} action="Start backups" onDone={onChosen} />
    </section>
  );
}

function SavedCard() {
  return (
    <section class="card" aria-labelledby="saved-title">
      <h2 id="saved-title">What is in them</h2>
      <p>
        Who may log in, the household’s certificate, the box’s settings and everybody’s keys, sealed. With them a new box is the same household
        again.
      </p>
      <p>
        Private files too. The box saves them <strong>while their owner is logged in</strong>, sealed with the owner’s own key: whoever restores the
        household still needs each owner’s password or recovery code for them.
      </p>
      <p class="quiet">Everything is encrypted on this box, before it leaves it. Whoever finds the disk, or runs the store, can read nothing.</p>
    </section>
  );
}
