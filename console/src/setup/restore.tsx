import { useCallback, useEffect, useReducer } from "preact/hooks";
import { api, ApiError } from "../api/client";
import { advance, restoreRequest, startRestore } from "../logic/restore";
import { CardPage, Heading } from "../ui/page";
import { Notice, Progress, ProgressBar } from "../ui/status";
import { RestoreForm } from "./restoreform";

const LOOK_MS = 1500;

interface Props {
  claimCode: string;
  onBack: () => void;
  /** The box is set up, as it was before. */
  onLogin: () => void;
}

/** A new box becomes the household that a recovery kit and a backup are of. */
export function RestoreFlow({ claimCode, onBack, onLogin }: Props) {
  const [restoring, send] = useReducer(advance, claimCode, startRestore);
  const { phase, draft, moving } = restoring;

  useEffect(() => {
    if (phase !== "sending") return;
    api.restore(restoreRequest(draft)).then(
      (restore) => send({ kind: "looked", restore }),
      (error: unknown) => (isSetUp(error) ? onLogin() : send({ kind: "failed", error })),
    );
    // Sent once, with what was typed when the phase began.
  }, [phase]);

  const look = useCallback(async () => {
    try {
      send({ kind: "looked", restore: await api.restored() });
    } catch (error) {
      // Done, between two looks. Without an answer the next look tells more.
      if (isSetUp(error)) onLogin();
    }
  }, [onLogin]);
  useLooking(phase === "running", look);

  const ask = useCallback(async () => {
    if ((await api.status().catch(() => undefined))?.state.match(/^(ready|degraded)$/)) onLogin();
  }, [onLogin]);
  useLooking(phase === "done", ask);

  switch (phase) {
    case "form":
    case "sending":
      return <RestoreForm {...{ restoring, send, onBack }} />;
    case "running":
      return (
        <CardPage title="Restoring">
          <Heading turn="running">Restoring your household</Heading>
          <p class="lead">The box restores the newest backup to a scratch place, compares every byte, and only then becomes what it was.</p>
          {moving.percent === undefined ? <Progress reason={moving.text} /> : <ProgressBar label="The restore" percent={moving.percent} text={moving.text} />}
          <p class="quiet">If the power goes or something is wrong, the box stays as new as it is.</p>
        </CardPage>
      );
    case "done":
      return <RestoredPage />;
  }
}

/** The service starts anew with what was restored: with its name and its certificate, so the browser may find a stranger. */
function RestoredPage() {
  return (
    <CardPage title="Restored">
      <Heading turn="done">Your household is back</Heading>
      <Progress reason="The box starts its service anew with it. It may not answer for a moment; this page goes on by itself." />
      <Notice kind="info">
        <p>Log in with the name and the password from before. Then make a new recovery key: the one on the old paper is for the old disk.</p>
        <p>Everybody’s private files come back when they log in: their password opens them, or else their recovery code.</p>
      </Notice>
      <p class="quiet">
        Nothing happens within a minute? Load the page again: the box then uses its old certificate. Had you given it another name? Then it is found
        under that name.
      </p>
      <div class="actions">
        <button type="button" class="button button-quiet" onClick={() => location.reload()}>
          Load the page again
        </button>
      </div>
    </CardPage>
  );
}

/** Looks again and again, one look at a time. */
function useLooking(on: boolean, look: () => Promise<void>): void {
  useEffect(() => {
    if (!on) return undefined;
    let timer: number | undefined;
    let ended = false;
    const turn = async () => {
      await look();
      if (!ended) timer = window.setTimeout(turn, LOOK_MS);
    };
    timer = window.setTimeout(turn, LOOK_MS);
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, [on, look]);
}

function isSetUp(error: unknown): boolean {
  return error instanceof ApiError && error.code === "already_set_up";
}
