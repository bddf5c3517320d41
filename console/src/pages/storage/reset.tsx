import { useState } from "preact/hooks";
import { api, ApiError } from "../../api/client";
import { Field, PasswordField } from "../../ui/field";
import { CardPage, Heading } from "../../ui/page";
import { Notice, Progress } from "../../ui/status";

/** Erases everything on the box, after two things that nobody types by mistake. */
export function ResetCard({ hostname, onErased }: { hostname: string; onErased: () => void }) {
  const [asked, setAsked] = useState(false);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<{ field?: string | undefined; message: string }>();
  const ready = !busy && name.trim() !== "" && password !== "";

  function leave() {
    setAsked(false);
    setName("");
    setPassword("");
    setTrouble(undefined);
  }

  async function erase() {
    setBusy(true);
    setTrouble(undefined);
    try {
      await api.factoryReset(name, password);
      onErased();
    } catch (error) {
      const message = "The box did not answer, so it may be erasing itself already. Look at its screen before you try again.";
      setTrouble(error instanceof ApiError ? { field: error.field, message: error.message } : { message });
      setBusy(false);
    }
  }

  return (
    <section class="card" aria-labelledby="reset-title">
      <h2 id="reset-title">Erase everything</h2>
      <p>Makes the box new, to give it away or to begin again. Everything that anybody keeps on it becomes unreadable for good, with every key that there is.</p>
      {!asked ? (
        <div class="actions actions-start">
          <button type="button" class="button button-quiet" onClick={() => setAsked(true)}>
            Erase everything…
          </button>
        </div>
      ) : (
        <form
          noValidate
          onSubmit={(event) => {
            event.preventDefault();
            if (ready) void erase();
          }}
        >
          {trouble && trouble.field !== "hostname" ? (
            <Notice kind="bad" urgent>
              <p>{trouble.message}</p>
            </Notice>
          ) : null}
          <Field
            label="The name of this box"
            value={name}
            onValue={setName}
            hint={`Type ${hostname} to show that you mean this one.`}
            error={trouble?.field === "hostname" ? trouble.message : undefined}
            input={{ autocomplete: "off", autocapitalize: "none", spellcheck: false }}
          />
          <PasswordField label="Your password" autocomplete="current-password" value={password} onValue={setPassword} />
          {busy ? <Progress reason="Asking the box." /> : null}
          <div class="actions">
            <button type="button" class="button button-quiet" onClick={leave}>
              Keep everything
            </button>
            <button type="submit" class="button" aria-disabled={!ready}>
              Erase everything
            </button>
          </div>
        </form>
      )}
    </section>
  );
}

/** The box of this page is no more. */
export function ErasedPage() {
  return (
    <CardPage title="Erasing">
      <Heading>The box erases everything</Heading>
      <p class="lead">It restarts for it, and then it is as new: without an owner, called hearth.local, with a claim code on its own screen.</p>
      <div class="aside">
        <h2>What to know</h2>
        <ul class="advice">
          <li>It has another household certificate then, so browsers warn again. Remove the old one from devices that have it.</li>
          <li>If the power goes meanwhile, it goes on erasing at the next start.</li>
        </ul>
      </div>
    </CardPage>
  );
}
