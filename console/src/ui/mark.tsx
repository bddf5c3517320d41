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

/** The fire is lit: shown once, when the box has become its owner's. */
export function LitMark() {
  return (
    <div class="lit">
      <img src={mark} alt="" width="84" height="84" />
    </div>
  );
}
