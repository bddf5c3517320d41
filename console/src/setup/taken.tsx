import { CardPage, Heading } from "../ui/page";

/** The box has an owner already: someone else was quicker, or our own request went through without its answer. */
export function TakenPage({ onLogin }: { onLogin: () => void }) {
  return (
    <CardPage title="Already set up">
      <Heading>This box is already set up</Heading>
      <p class="lead">It has an owner now. If that was you a moment ago, log in with the name and password you chose.</p>
      <p>
        If it was not you, somebody with the claim code was quicker. Unplug the box, write its card or disk anew, and set it up with the new code.
      </p>
      <div class="actions">
        <button type="button" class="button" onClick={onLogin}>
          Go to login
        </button>
      </div>
    </CardPage>
  );
}
