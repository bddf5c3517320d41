import { useEffect, useRef, useState } from "preact/hooks";
import { api, ApiError, privateFilePath } from "../api/client";
import type { PrivateFile, Vault } from "../api/types";
import { formatBytes } from "../logic/format";
import { PasswordField } from "../ui/field";
import { ConnectionNotice } from "../ui/lost";
import { Brand } from "../ui/mark";
import { Heading, useTitle } from "../ui/page";
import { usePoll } from "../ui/poll";
import { Notice, Progress } from "../ui/status";

const REFRESH_MS = 15_000;
/** What the box takes. */
const MAX_BYTES = 16 * 1024 * 1024;

interface Known {
  vault: Vault;
  files: PrivateFile[];
}

async function askBox(): Promise<Known> {
  const vault = await api.vault();
  return { vault, files: vault.state === "open" ? (await api.privateFiles()).files : [] };
}

/** The files in the vault of whoever is logged in. */
export function FilesPage({ onHome, onLoggedOut }: { onHome: () => void; onLoggedOut: () => void }) {
  const poll = usePoll(askBox, REFRESH_MS);
  const [busy, setBusy] = useState<string>();
  const [trouble, setTrouble] = useState<string>();
  useTitle("Private files");

  const loggedOut = poll.refusal?.status === 401;
  useEffect(() => {
    if (loggedOut) onLoggedOut();
  }, [loggedOut, onLoggedOut]);

  async function carryOut(reason: string, work: () => Promise<unknown>) {
    if (busy !== undefined) return;
    setBusy(reason);
    setTrouble(undefined);
    try {
      await work();
    } catch (error) {
      setTrouble(error instanceof ApiError ? error.message : "The box did not answer. Try again in a moment.");
    }
    setBusy(undefined);
    void poll.again();
  }

  const known = poll.data;
  return (
    <div class="page">
      <header class="page-head">
        <Brand />
        <button type="button" class="button button-quiet button-small" onClick={onHome}>
          Back to home
        </button>
      </header>
      <main>
        <Heading>Private files</Heading>
        {trouble ?? (poll.refusal && !loggedOut) ? (
          <Notice kind="bad" urgent>
            <p>{trouble ?? poll.refusal?.message}</p>
          </Notice>
        ) : null}
        {busy ? <Progress reason={busy} /> : null}
        {known === undefined ? (
          <Progress reason="Asking the box for your files." />
        ) : known.vault.state === "open" ? (
          <OpenVault files={known.files} carryOut={carryOut} />
        ) : (
          <LockedVault vault={known.vault} carryOut={carryOut} />
        )}
      </main>
      <ConnectionNotice lost={poll.lost} trying={poll.trying} again={poll.again} />
    </div>
  );
}

type CarryOut = (reason: string, work: () => Promise<unknown>) => Promise<void>;

function OpenVault({ files, carryOut }: { files: PrivateFile[]; carryOut: CarryOut }) {
  const chooser = useRef<HTMLInputElement>(null);
  const [doomed, setDoomed] = useState<string>();

  async function send(chosen: File[]) {
    for (const file of chosen) {
      if (file.size > MAX_BYTES) throw new ApiError(413, "too_large", `${file.name} is larger than 16 MiB, the most a private file can have.`);
      await api.putPrivateFile(file);
    }
  }

  return (
    <section class="card" aria-labelledby="list-title">
      <h2 id="list-title">In your vault</h2>
      {files.length === 0 ? <p class="quiet">Nothing yet. What you put here is encrypted with your password.</p> : null}
      <ul class="rows">
        {files.map(({ name, bytes }) => (
          <li class="row" key={name}>
            <div class="row-main">
              <a class="row-name link" href={`/api/v1${privateFilePath(name)}`} download={name}>
                {name}
              </a>
              <p class="row-detail">{formatBytes(bytes)}</p>
            </div>
            {doomed === name ? (
              <button
                type="button"
                class="button button-small"
                onClick={() => {
                  setDoomed(undefined);
                  void carryOut(`Removing ${name}.`, () => api.removePrivateFile(name));
                }}
              >
                Remove for good
              </button>
            ) : (
              <button type="button" class="button button-quiet button-small" aria-label={`Remove ${name}`} onClick={() => setDoomed(name)}>
                Remove…
              </button>
            )}
          </li>
        ))}
      </ul>
      <input
        ref={chooser}
        type="file"
        multiple
        hidden
        aria-label="Files to add"
        onChange={(event) => {
          const chosen = Array.from(event.currentTarget.files ?? []);
          event.currentTarget.value = "";
          if (chosen.length > 0) void carryOut("Sending to the box.", () => send(chosen));
        }}
      />
      <div class="actions actions-start">
        <button type="button" class="button" onClick={() => chooser.current?.click()}>
          Add files
        </button>
        <button type="button" class="button button-quiet" onClick={() => void carryOut("Locking.", () => api.lockVault())}>
          Lock
        </button>
      </div>
    </section>
  );
}

function LockedVault({ vault, carryOut }: { vault: Vault; carryOut: CarryOut }) {
  const [password, setPassword] = useState("");
  if (vault.state === "none") {
    return <p>You have no vault yet. Log out and in again: then there is one.</p>;
  }
  return (
    <form
      class="card"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (password !== "") void carryOut("Opening your vault.", () => api.unlockVault(password).finally(() => setPassword("")));
      }}
    >
      <h2>Locked</h2>
      <p>{vault.problem ?? "Your files are encrypted, and the box has forgotten the key. Type your password to show them."}</p>
      {vault.state === "busy" ? <p class="quiet">A file was still being sent when it was locked; the box closes it as soon as that ends.</p> : null}
      <PasswordField label="Your password" autocomplete="current-password" value={password} onValue={setPassword} />
      <div class="actions">
        <button type="submit" class="button" aria-disabled={password === ""}>
          Open
        </button>
      </div>
    </form>
  );
}
