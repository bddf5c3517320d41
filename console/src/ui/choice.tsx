import { useId } from "preact/hooks";

interface Props {
  label: string;
  value: string;
  /** What is chosen, and how it reads. */
  options: readonly (readonly [string, string])[];
  onValue: (value: string) => void;
}

/** One of a few. The system's own list, which every phone and screen reader knows. */
export function Choice({ label, value, options, onValue }: Props) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="field-box field-choice">
        <select id={id} value={value} onChange={(event) => onValue(event.currentTarget.value)}>
          {options.map(([each, words]) => (
            <option key={each} value={each}>
              {words}
            </option>
          ))}
        </select>
      </div>
    </div>
  );
}
