import type { Problems } from "../logic/account";
import type { PlaceDraft } from "../logic/backupform";
import { Choice } from "./choice";
import { Field, PasswordField } from "./field";

interface Props {
  draft: PlaceDraft;
  problems: Problems<keyof PlaceDraft>;
  onEdit: (next: Partial<PlaceDraft>) => void;
  /** The box has the secret already, so it need not be typed. */
  secretStays: boolean;
}

const PLAIN = { autocomplete: "off", autocapitalize: "none", spellcheck: false } as const;

/** Where backups are: a disk that is plugged in, or a bucket of an object store. */
export function PlaceFields({ draft, problems, onEdit, secretStays }: Props) {
  return (
    <>
      <Choice
        label="Where"
        value={draft.kind}
        options={[
          ["usb_disk", "A USB disk or stick"],
          ["s3", "An object store (S3)"],
        ]}
        onValue={(kind) => onEdit({ kind: kind === "s3" ? "s3" : "usb_disk" })}
      />
      {draft.kind === "s3" ? <StoreFields {...{ draft, problems, onEdit, secretStays }} /> : <DiskFields {...{ draft, problems, onEdit }} />}
    </>
  );
}

function DiskFields({ draft, problems, onEdit }: Omit<Props, "secretStays">) {
  return (
    <Field
      label="Name of the disk, if there are several"
      value={draft.label}
      onValue={(label) => onEdit({ label })}
      error={problems.label}
      hint="As a computer shows it when it is plugged in there. Left empty, the box takes the first disk that can be pulled out; what is on it already stays."
      input={PLAIN}
    />
  );
}

function StoreFields({ draft, problems, onEdit, secretStays }: Props) {
  return (
    <>
      <Field
        label="Address of the store"
        value={draft.endpoint}
        onValue={(endpoint) => onEdit({ endpoint })}
        error={problems.endpoint}
        hint="Where its provider says that S3 answers, such as https://s3.example.net."
        input={PLAIN}
      />
      <Field
        label="Bucket"
        value={draft.bucket}
        onValue={(bucket) => onEdit({ bucket })}
        error={problems.bucket}
        hint="It must exist already."
        input={PLAIN}
      />
      <div class="pair">
        <Field
          label="Region"
          value={draft.region}
          onValue={(region) => onEdit({ region })}
          error={problems.region}
          hint="Empty, if it has none."
          input={{ ...PLAIN, placeholder: "us-east-1" }}
        />
        <Field
          label="Folder"
          value={draft.path}
          onValue={(path) => onEdit({ path })}
          error={problems.path}
          hint="Empty: the top of it."
          input={PLAIN}
        />
      </div>
      <Field label="Access key" value={draft.accessKey} onValue={(accessKey) => onEdit({ accessKey })} error={problems.accessKey} input={PLAIN} />
      <PasswordField
        label="Secret key"
        autocomplete="off"
        value={draft.secretKey}
        onValue={(secretKey) => onEdit({ secretKey })}
        error={problems.secretKey}
        hint={secretStays ? "The box has it. Type one only to change it." : "The box keeps it and shows it to nobody."}
      />
    </>
  );
}
