import mark from "../mark.svg";

/** The sign of Hearth with its name. The picture says nothing that the name does not say. */
export function Brand() {
  return (
    <span class="brand">
      <img src={mark} alt="" width="32" height="32" />
      <span class="brand-name">Hearth</span>
    </span>
  );
}
