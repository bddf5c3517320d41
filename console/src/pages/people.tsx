import { useCallback, useState } from "preact/hooks";
import { api } from "../api/client";
import type { User } from "../api/types";
import { roleWords } from "../logic/people";
import { AreaPage } from "../ui/areapage";
import { useLoggedOut, usePoll } from "../ui/poll";
import { StatusWord } from "../ui/status";
import { AddCard } from "./people/add";
import { RemoveForm } from "./people/remove";
import { ResetForm } from "./people/reset";

const REFRESH_MS = 15_000;

interface Props {
  user: User;
  onHome: () => void;
  onLoggedOut: () => void;
}

/** Who logs in to the box; only for owners. */
export function PeoplePage({ user, onHome, onLoggedOut }: Props) {
  const poll = usePoll(api.users, REFRESH_MS);
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
    <AreaPage title="People" asking="Asking the box who logs in." {...{ poll, done, turn, onHome }}>
      {({ users }) => (
        <div class="cards">
          <div class="column">
            <section class="card" aria-labelledby="people-title">
              <h2 id="people-title">Who logs in</h2>
              <ul class="rows people">
                {users.map((person) => (
                  <Person key={person.name} {...{ person, user, tell }} />
                ))}
              </ul>
            </section>
          </div>
          <div class="column">
            {/* Empty again after each newcomer. */}
            <AddCard key={turn} user={user} tell={tell} />
          </div>
        </div>
      )}
    </AreaPage>
  );
}

interface PersonProps {
  person: User;
  user: User;
  tell: (words: string) => Promise<void>;
}

function Person({ person, user, tell }: PersonProps) {
  const [task, setTask] = useState<"reset" | "remove">();
  const { word, detail } = roleWords(person.role);
  const isMe = person.name === user.name;
  const leave = () => setTask(undefined);
  return (
    <li class="row">
      <div class="row-main">
        <span class="row-name file-name">
          {person.name}
          {isMe ? " (you)" : ""}
        </span>
        <StatusWord tone={person.role === "owner" ? "good" : "off"}>{word}</StatusWord>
        <p class="row-detail">{isMe ? "Your own password is changed on the page of your account." : detail}</p>
        {isMe || task ? null : (
          <div class="row-acts">
            <button type="button" class="link" onClick={() => setTask("reset")}>
              New password<span class="unseen"> for {person.name}</span>
            </button>
            <button type="button" class="link" onClick={() => setTask("remove")}>
              Remove<span class="unseen"> {person.name}</span>
            </button>
          </div>
        )}
        {task ? (
          <div class="row-form">
            {task === "reset" ? <ResetForm {...{ person, user, tell, leave }} /> : <RemoveForm {...{ person, user, tell, leave }} />}
          </div>
        ) : null}
      </div>
    </li>
  );
}
