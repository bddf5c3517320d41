import type { SetupResult, User } from "../api/types";
import { Certificate } from "../ui/certificate";
import { useFingerprint } from "../ui/fingerprint";
import { LitMark } from "../ui/mark";
import { CardPage, Heading } from "../ui/page";

/** The end of the set-up: where the box lives from now on and how to be rid of the browser's warning. */
export function DonePage({ result, onHome }: { result: SetupResult; onHome: (user: User) => void }) {
  const moved = new URL(result.url).host !== location.host;
  const print = useFingerprint();
  return (
    <CardPage title="Ready" before={<LitMark />}>
      <Heading>Your box is ready, {result.user.name}</Heading>
      {moved ? (
        <>
          <p class="lead">It has a new address. Save it as a bookmark:</p>
          <p class="address address-big">{result.url}</p>
          <p>
            Because the name is new, the browser will warn once more there and ask you to log in. That is expected: the certificate for the new
            name comes from the same box, as the fingerprint below shows. It can take a minute until all devices know the new name.
          </p>
        </>
      ) : (
        <p class="lead">
          You are logged in. Its address at home is <strong>{result.url}</strong>.
        </p>
      )}
      <Certificate fingerprint={print} />
      <div class="actions">
        {moved ? (
          <>
            <button type="button" class="button button-quiet" onClick={() => onHome(result.user)}>
              Stay here for now
            </button>
            <a class="button" href={result.url}>
              Go to {new URL(result.url).host}
            </a>
          </>
        ) : (
          <button type="button" class="button" onClick={() => onHome(result.user)}>
            Go to the home page
          </button>
        )}
      </div>
    </CardPage>
  );
}
