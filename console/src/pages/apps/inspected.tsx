import type { Inspection } from "../../api/apps";
import { scopeWords } from "../../logic/apps";
import { Fold } from "../../ui/fold";
import { Remarks } from "../../ui/remarks";
import { Notice } from "../../ui/status";

/** What an app says of itself. */
export function AppWords({ app }: { app: Pick<Inspection, "version" | "author" | "license" | "description" | "scope"> }) {
  const facts = [`Version ${app.version}`, app.author ? `by ${app.author}` : "", app.license ? `licence ${app.license}` : "", scopeWords(app.scope)];
  return (
    <>
      <p class="quiet">{facts.filter((fact) => fact !== "").join(" · ")}</p>
      {app.description ? <p class="said">{app.description}</p> : null}
    </>
  );
}

/** Why it cannot be installed. */
export function Refusals({ inspection: { refusals } }: { inspection: Inspection }) {
  if (refusals.length === 0) return null;
  return (
    <Notice kind="bad" urgent>
      <p>
        <strong>It cannot be installed as it is:</strong>
      </p>
      <Remarks remarks={refusals} />
    </Notice>
  );
}

/** What is good to know, and where it comes from, for those who want to. */
export function Beside({ inspection: { notes, images } }: { inspection: Inspection }) {
  return (
    <div>
      {notes.length > 0 ? (
        <Fold title={notes.length === 1 ? "1 thing is done otherwise" : `${notes.length} things are done otherwise`} isOpen={false} isWrong={false}>
          <p class="quiet">What its file asks for and this box leaves out, or does in another way:</p>
          <Remarks remarks={notes} />
        </Fold>
      ) : null}
      <Fold title="Where it is fetched from" isOpen={false} isWrong={false}>
        <ul class="plain images">
          {images.map((image) => (
            <li key={image} class="code-name">
              {image}
            </li>
          ))}
        </ul>
      </Fold>
    </div>
  );
}
