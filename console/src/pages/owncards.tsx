import type { User } from "../api/types";

/** The way to one's own files, on the home page. */
export function FilesCard({ onFiles }: { onFiles: () => void }) {
  return (
    <section class="card" aria-labelledby="files-title">
      <div class="card-head">
        <h2 id="files-title">Private files</h2>
        <button type="button" class="link" onClick={onFiles}>
          Show them
        </button>
      </div>
      <p class="quiet">Only you can open them, with your password. Nobody else can, not even whoever runs the box.</p>
    </section>
  );
}

/** The way to one's own account. */
export function AccountCard({ user, onAccount }: { user: User; onAccount: () => void }) {
  return (
    <section class="card" aria-labelledby="account-title">
      <div class="card-head">
        <h2 id="account-title">Your account</h2>
        <button type="button" class="link" onClick={onAccount}>
          Change password
        </button>
      </div>
      <p class="quiet">
        You log in as <strong class="account-name">{user.name}</strong>.
      </p>
    </section>
  );
}

/** The way to everybody's accounts, for owners. */
export function PeopleCard({ onPeople }: { onPeople: () => void }) {
  return (
    <section class="card" aria-labelledby="people-title">
      <div class="card-head">
        <h2 id="people-title">People</h2>
        <button type="button" class="link" onClick={onPeople}>
          Who logs in
        </button>
      </div>
      <p class="quiet">Everybody at home can have an account, with private files of their own.</p>
    </section>
  );
}
