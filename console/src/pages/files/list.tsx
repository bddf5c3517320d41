import { useRef, useState } from "preact/hooks";
import { api, privateFilePath } from "../../api/client";
import type { PrivateFile } from "../../api/types";
import { fileTrouble, replaced, shownName } from "../../logic/files";
import { formatBytes } from "../../logic/format";
import { ConfirmDialog } from "../../ui/dialog";
import { Notice } from "../../ui/status";
import { SendingReport, type Sender } from "./sending";

interface Props {
  files: PrivateFile[];
  sender: Sender;
  again: () => Promise<void>;
}

/** What is in the open vault: to get, to add, to remove. */
export function FilesCard({ files, sender, again }: Props) {
  const chooser = useRef<HTMLInputElement>(null);
  const adder = useRef<HTMLButtonElement>(null);
  const [doubted, setDoubted] = useState<File[]>();
  const [doomed, setDoomed] = useState<string>();
  const [trouble, setTrouble] = useState<string>();

  function choose(chosen: File[]) {
    setTrouble(undefined);
    const names = chosen.map(({ name }) => name);
    if (chosen.length === 0) return;
    if (replaced(names, files).length > 0) setDoubted(chosen);
    else void sender.send(chosen);
  }

  /** What was pressed is about to go; without this the focus would start over at the page's top. */
  function keepFocus() {
    adder.current?.focus({ preventScroll: true });
  }

  async function remove(name: string) {
    setDoomed(undefined);
    setTrouble(undefined);
    try {
      await api.removePrivateFile(name);
      keepFocus();
    } catch (error) {
      setTrouble(`${shownName(name)} was not removed. ${fileTrouble(error).message}`);
    }
    void again();
  }

  return (
    <section class="card" aria-labelledby="list-title">
      <div class="card-head">
        <h2 id="list-title">Your files</h2>
        {files.length > 0 ? <span class="quiet">{total(files)}</span> : null}
      </div>
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      {files.length === 0 ? (
        <p>Nothing is here yet. Add papers, photos or notes that only you should see: up to 16 MiB each, encrypted so that only you open them.</p>
      ) : null}
      <div class="actions actions-start">
        <button
          ref={adder}
          type="button"
          class="button"
          aria-disabled={sender.isBusy}
          onClick={() => (sender.isBusy ? undefined : chooser.current?.click())}
        >
          Add files
        </button>
      </div>
      <input
        ref={chooser}
        type="file"
        multiple
        hidden
        aria-label="Files to add"
        onChange={(event) => {
          const chosen = Array.from(event.currentTarget.files ?? []);
          event.currentTarget.value = "";
          choose(chosen);
        }}
      />
      <SendingReport
        sender={{
          ...sender,
          stop: () => {
            keepFocus();
            sender.stop();
          },
        }}
      />
      {files.length > 0 ? (
        <ul class="rows">
          {files.map((file) => (
            <FileRow key={file.name} file={file} onRemove={() => setDoomed(file.name)} />
          ))}
        </ul>
      ) : null}
      {doubted ? (
        <ReplaceDialog
          names={replaced(
            doubted.map(({ name }) => name),
            files,
          )}
          onClose={() => setDoubted(undefined)}
          onConfirm={() => {
            setDoubted(undefined);
            void sender.send(doubted);
          }}
        />
      ) : null}
      {doomed !== undefined ? (
        <ConfirmDialog title="Remove this file?" confirm="Remove for good" onConfirm={() => void remove(doomed)} onClose={() => setDoomed(undefined)}>
          <p class="file-name">{shownName(doomed)}</p>
          <p>It cannot be brought back.</p>
        </ConfirmDialog>
      ) : null}
    </section>
  );
}

function FileRow({ file: { name, bytes, modified_unix: modified }, onRemove }: { file: PrivateFile; onRemove: () => void }) {
  const day = new Date(modified * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });
  return (
    <li class="row">
      <div class="row-main">
        <a class="file-name link" dir="auto" href={`/api/v1${privateFilePath(name)}`} download={name}>
          {shownName(name)}
        </a>
        <p class="row-detail">
          {formatBytes(bytes)}, {day}
        </p>
      </div>
      <button type="button" class="button button-quiet button-small" aria-label={`Remove ${shownName(name)}`} onClick={onRemove}>
        Remove
      </button>
    </li>
  );
}

function ReplaceDialog({ names, onConfirm, onClose }: { names: string[]; onConfirm: () => void; onClose: () => void }) {
  const one = names.length === 1;
  return (
    <ConfirmDialog title={one ? "Replace this file?" : `Replace ${names.length} files?`} confirm="Replace" onConfirm={onConfirm} onClose={onClose}>
      <p>{one ? "There is one of this name already. It would be gone for good:" : "There are some of these names already. They would be gone for good:"}</p>
      <ul class="advice file-names">
        {names.map((name) => (
          <li class="file-name" key={name}>
            {shownName(name)}
          </li>
        ))}
      </ul>
    </ConfirmDialog>
  );
}

function total(files: PrivateFile[]): string {
  const size = formatBytes(files.reduce((sum, { bytes }) => sum + bytes, 0));
  return files.length === 1 ? `1 file, ${size}` : `${files.length} files, ${size}`;
}
