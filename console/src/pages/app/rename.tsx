import { useState } from "preact/hooks";
import { api } from "../../api/client";
import type { AppView } from "../../api/apps";
import { idProblem, idTrouble } from "../../logic/install";
import { AskForm } from "../../ui/askform";
import { useEditing } from "../../ui/editing";
import { IdField } from "../apps/consent";

interface Props {
  app: AppView;
  again: () => Promise<void>;
  tell: (words: string) => void;
}

/** Another short name. */
export function RenameCard({ app, again, tell }: Props) {
  const { isOpen, open, close, opener } = useEditing();
  const [id, setId] = useState(app.id);
  const [problem, setProblem] = useState<string>();
  return (
    <section class="card" aria-labelledby="rename-title">
      <h2 id="rename-title">Its name on this box</h2>
      {isOpen ? (
        <AskForm<"id">
          action="Rename"
          progress="Asking the box."
          leave="Leave it"
          onLeave={close}
          takesFocus
          problems={() => {
            const found = idProblem(id);
            return found ? { id: found } : {};
          }}
          onProblems={({ id: found }) => setProblem(found)}
          send={() => api.renameApp(app.key, id)}
          explain={idTrouble}
          onDone={() => {
            close();
            void again().then(() => tell(`It is called ${id} now. Everything else of it stays as it was.`));
          }}
        >
          <IdField {...{ id, problem }} onId={(value) => (setId(value), setProblem(undefined))} />
        </AskForm>
      ) : (
        <>
          <p>
            <strong class="account-name">{app.id}</strong>. By this name other apps and commands find it.
          </p>
          <div class="actions actions-start">
            <button
              ref={opener}
              type="button"
              class="button button-quiet"
              onClick={() => {
                setId(app.id);
                open();
              }}
            >
              Rename…
            </button>
          </div>
        </>
      )}
    </section>
  );
}
