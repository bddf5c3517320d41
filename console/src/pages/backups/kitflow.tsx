import { useState } from "preact/hooks";
import { api } from "../../api/client";
import type { BackupTarget } from "../../api/backups";
import type { Problems } from "../../logic/account";
import { askTrouble, TYPE_PASSWORD } from "../../logic/ask";
import { kitSheet, type KitSheet } from "../../logic/kit";
import { AskForm } from "../../ui/askform";
import { PasswordField } from "../../ui/field";
import { CardPage, Heading } from "../../ui/page";
import { Switch } from "../../ui/switch";
import { KitPaper } from "./kitpaper";

interface Props {
  target: BackupTarget | null;
  userName: string;
  onLater: () => void;
  onDone: () => void;
}

/** Shows the recovery kit, after the password, to be printed. It is kept in this page only, and only until it is left. */
export function KitFlow({ target, userName, onLater, onDone }: Props) {
  const [sheet, setSheet] = useState<KitSheet>();
  if (sheet === undefined) return <PasswordStep {...{ target, userName, onLater }} onKit={setSheet} />;
  return (
    <CardPage title="Recovery kit">
      <Heading turn="shown">Your recovery kit</Heading>
      <KitPaper sheet={sheet} target={target} />
      <div class="actions screen-only">
        <button type="button" class="button button-quiet" onClick={() => print()}>
          Print
        </button>
        <button type="button" class="button" onClick={onDone}>
          I have it on paper
        </button>
      </div>
    </CardPage>
  );
}

function PasswordStep({ target, userName, onLater, onKit }: Omit<Props, "onDone"> & { onKit: (sheet: KitSheet) => void }) {
  const [password, setPassword] = useState("");
  const [withAccess, setWithAccess] = useState(false);
  const [problems, setProblems] = useState<Problems<"password">>({});
  return (
    <CardPage title="Recovery kit">
      <Heading turn="password">The recovery kit</Heading>
      <p class="lead">
        A sheet of paper for the day this box breaks: with it and the backup, a new box becomes the same household again. Private files
        then open with their owners’ passwords or recovery codes, not with this sheet. Have a printer ready, or
        pen and paper.
      </p>
      <AskForm
        action="Show the kit"
        progress="Making the kit."
        leave="Not now"
        onLeave={onLater}
        userName={userName}
        problems={() => (password === "" ? { password: TYPE_PASSWORD } : {})}
        onProblems={setProblems}
        send={async () => onKit(kitSheet(await api.recoveryKit(password, withAccess)))}
        explain={(error) => askTrouble(error, () => undefined)}
        onDone={() => undefined}
      >
        {target?.type === "s3" ? (
          <Switch label="With the keys of the store" on={withAccess} onToggle={() => setWithAccess(!withAccess)}>
            {withAccess
              ? "Then the paper alone is enough, also for whoever finds it. Keep it as safe as money."
              : "Without them, whoever restores needs the access key and the secret key too. Keep those elsewhere."}
          </Switch>
        ) : null}
        <PasswordField
          label="Your password"
          autocomplete="current-password"
          value={password}
          onValue={(value) => {
            setPassword(value);
            setProblems({});
          }}
          error={problems.password}
          hint="So that nobody else takes it while you are away from your screen."
        />
      </AskForm>
    </CardPage>
  );
}
