import type { ComponentChildren } from "preact";
import { weightWord, type Shown } from "../logic/permissions";
import { Switch } from "./switch";

interface Props {
  choices: Shown[];
  /** Whether it gets a permission. */
  has: (name: string) => boolean;
  disabled?: boolean;
  /** Whether what matters most is pointed out: before the decision. */
  warns?: boolean;
  onToggle: (name: string) => void;
}

/** What an app may, each with a switch. */
export function PermissionSwitches({ choices, has, disabled = false, warns = false, onToggle }: Props) {
  return (
    <ul class="plain asks">
      {choices.map((ask) => (
        <li key={ask.parts.map(({ name }) => name).join()}>
          {ask.parts.length === 1 ? null : (
            <div>
              <p class="switch-label">{ask.words}</p>
              <p class="quiet">
                <Why ask={ask} warns={warns} />
              </p>
            </div>
          )}
          {ask.parts.map(({ name, words }) => (
            <Switch key={name} label={words} on={has(name)} disabled={disabled} onToggle={() => onToggle(name)}>
              {ask.parts.length === 1 ? <Why ask={ask} warns={warns} /> : null}
            </Switch>
          ))}
        </li>
      ))}
    </ul>
  );
}

/** What an app asks for, without a choice. */
export function AskList({ asks }: { asks: Shown[] }) {
  return (
    <ul class="advice">
      {asks.map((ask) => (
        <li key={ask.words}>
          {ask.weight === "high" ? <strong>{ask.words}</strong> : ask.words}
          {ask.reason ? (
            <p class="quiet said">
              <Why ask={ask} warns={false} />
            </p>
          ) : null}
        </li>
      ))}
    </ul>
  );
}

/** The app's own words, told apart from the box's. */
function Why({ ask: { reason, weight }, warns }: { ask: Shown; warns: boolean }): ComponentChildren {
  const word = warns ? weightWord(weight) : undefined;
  return (
    <>
      {word ? <strong class="ask-weight">{word}. </strong> : null}
      {reason ? `The app says: “${reason}”` : null}
    </>
  );
}
