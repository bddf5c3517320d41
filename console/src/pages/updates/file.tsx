import { useRef, useState } from "preact/hooks";
import { api, ApiError } from "../../api/client";
import { formatBytes } from "../../logic/format";
import { Notice, ProgressBar } from "../../ui/status";

/** An update from a file, for boxes without internet. */
export function FileCard({ tell }: { tell: (words: string) => Promise<void> }) {
  const [sending, setSending] = useState<{ sent: number; size: number }>();
  const [trouble, setTrouble] = useState<string>();
  const [reading, setReading] = useState(false);
  const picker = useRef<HTMLInputElement>(null);

  async function send(file: File) {
    setTrouble(undefined);
    setSending({ sent: 0, size: file.size });
    try {
      await api.bringUpdate(file, (sent) => setSending({ sent: Math.min(sent, file.size), size: file.size }));
      await tell("The file is good. The box writes the new system beside the running one.");
    } catch (error) {
      setTrouble(error instanceof ApiError ? error.message : "The box did not answer, or the file did not arrive whole. Try again.");
    }
    setSending(undefined);
    if (picker.current) picker.current.value = "";
  }

  async function readStick() {
    setTrouble(undefined);
    setReading(true);
    try {
      const { version } = await api.takeUpdateFromStick();
      await tell(`Version ${version} on the stick is good, and you can pull the stick out. The box writes the new system beside the running one.`);
    } catch (error) {
      setTrouble(error instanceof ApiError ? error.message : "The box did not answer. Try again.");
    }
    setReading(false);
  }

  const busy = sending !== undefined || reading;
  return (
    <section class="card" aria-labelledby="file-title">
      <h2 id="file-title">From a file</h2>
      <p>A box without internet takes an update as a file. It is checked like any other: only what its makers signed is installed.</p>
      <p>You can also copy the file to a USB stick, in no folder, and plug that into the box.</p>
      {sending ? (
        <ProgressBar
          label="The file"
          percent={Math.floor((sending.sent / Math.max(1, sending.size)) * 100)}
          text={sending.sent >= sending.size ? "The box checks the file." : `${formatBytes(sending.sent)} of ${formatBytes(sending.size)} sent.`}
        />
      ) : null}
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      <input
        ref={picker}
        type="file"
        accept=".bundle"
        aria-label="Update file"
        hidden
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          if (file && !sending) void send(file);
        }}
      />
      <div class="actions actions-start">
        <button type="button" class="button button-quiet" aria-disabled={busy} onClick={() => (busy ? undefined : picker.current?.click())}>
          Choose a file…
        </button>
        <button type="button" class="button button-quiet" aria-disabled={busy} onClick={() => (busy ? undefined : void readStick())}>
          {reading ? "Reading the stick…" : "From the USB stick"}
        </button>
      </div>
    </section>
  );
}
