import type { Backups } from "../../api/backups";
import { savedFilesWords } from "../../logic/backups";
import { StatusWord } from "../../ui/status";

/** Whose private files are saved, and since when: nobody but their owner can have them saved, or can open what was. */
export function SavedFilesCard({ backups: { private_files: saved }, now }: { backups: Backups; now: number }) {
  return (
    <section class="card" aria-labelledby="saved-files-title">
      <h2 id="saved-files-title">Private files in them</h2>
      <p>
        The box saves them <strong>while their owner is logged in</strong> and has them open, sealed with a key that only the owner’s password or
        recovery code gives. So the recovery kit alone does not open them.
      </p>
      {saved.length === 0 ? (
        <p class="quiet">After the first backup this shows whose were saved.</p>
      ) : (
        <ul class="rows">
          {saved.map((each) => {
            const { mark, saved: when, problem } = savedFilesWords(each, now);
            return (
              <li key={each.user} class="row">
                <div class="row-main">
                  <span class="row-name file-name">{each.user}</span>
                  {mark ? <StatusWord tone={mark.tone}>{mark.word}</StatusWord> : null}
                  <p class="row-detail">{when}</p>
                  {problem ? <p class="row-detail">{problem}</p> : null}
                </div>
              </li>
            );
          })}
        </ul>
      )}
    </section>
  );
}
