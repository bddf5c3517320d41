import { passwordHint } from "../logic/fields";
import { PasswordField } from "./field";

interface Props {
  fresh: string;
  again: string;
  problems: { fresh?: string; again?: string };
  onFresh: (value: string) => void;
  onAgain: (value: string) => void;
}

/** A new password, twice. */
export function NewPassword({ fresh, again, problems, onFresh, onAgain }: Props) {
  return (
    <>
      <PasswordField label="New password" autocomplete="new-password" value={fresh} onValue={onFresh} error={problems.fresh} hint={passwordHint(fresh)} />
      <PasswordField label="New password once more" autocomplete="new-password" value={again} onValue={onAgain} error={problems.again} />
    </>
  );
}
