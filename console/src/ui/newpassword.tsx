import { passwordHint } from "../logic/fields";
import { PasswordField } from "./field";

interface Props {
  /** What the first field is called. */
  label?: string;
  fresh: string;
  again: string;
  problems: { fresh?: string; again?: string };
  onFresh: (value: string) => void;
  onAgain: (value: string) => void;
}

/** A new password, twice. */
export function NewPassword({ label = "New password", fresh, again, problems, onFresh, onAgain }: Props) {
  return (
    <>
      <PasswordField label={label} autocomplete="new-password" value={fresh} onValue={onFresh} error={problems.fresh} hint={passwordHint(fresh)} />
      <PasswordField label={`${label} once more`} autocomplete="new-password" value={again} onValue={onAgain} error={problems.again} />
    </>
  );
}
