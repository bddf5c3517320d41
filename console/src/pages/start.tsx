import { useEffect } from "preact/hooks";
import { CardPage, Heading } from "../ui/page";
import { Notice, Progress } from "../ui/status";

/** How often a page that has nothing to show yet asks again by itself. */
const RETRY_MS = 5000;

/** Before the box has answered for the first time. */
export function StartPage({ trouble, again }: { trouble?: Error; again: () => void }) {
  useEffect(() => {
    if (!trouble) return undefined;
    const timer = setTimeout(again, RETRY_MS);
    return () => clearTimeout(timer);
  }, [trouble, again]);

  return (
    <CardPage title={trouble ? "No answer" : "One moment"}>
      <Heading turn={trouble !== undefined}>{trouble ? "The box cannot be reached" : "One moment"}</Heading>
      {trouble ? (
        <>
          <Notice kind="warn" urgent>
            <p>{trouble.message}</p>
          </Notice>
          <ul class="advice">
            <li>Does it have power? Just after plugging in it needs up to a minute.</li>
            <li>Is its network cable in, and is this device on the same network?</li>
          </ul>
          <p>This page tries again every few seconds.</p>
          <div class="actions">
            <button type="button" class="button" onClick={again}>
              Try now
            </button>
          </div>
        </>
      ) : (
        <Progress reason="Asking the box how it is." />
      )}
    </CardPage>
  );
}
