import type { ComponentChildren } from "preact";
import { Brand } from "./mark";
import { ConnectionNotice } from "./lost";
import { Heading, useTitle } from "./page";
import type { Polled } from "./poll";
import { Notice, Progress } from "./status";

interface Props<T> {
  title: string;
  poll: Polled<T>;
  /** Said until the box has answered for the first time. */
  asking: string;
  /** What has come of something, shown on top. */
  done?: string | undefined;
  /** Counts what was done: the focus goes to the heading then. */
  turn?: number;
  onHome: () => void;
  /** Where that leads, if not to the home page. */
  back?: string;
  children: (known: T) => ComponentChildren;
}

/** Shell of a page of the home area that shows what the box answers. */
export function AreaPage<T>({ title, poll, asking, done, turn, onHome, back, children }: Props<T>) {
  useTitle(title);
  return (
    <div class="page">
      <header class="page-head">
        <Brand />
        <button type="button" class="button button-quiet button-small" onClick={onHome}>
          {back ?? "Back to home"}
        </button>
      </header>
      <main>
        <Heading turn={turn}>{title}</Heading>
        {poll.refusal && poll.refusal.status !== 401 ? (
          <Notice kind="bad" urgent>
            <p>{poll.refusal.message}</p>
          </Notice>
        ) : null}
        {done ? (
          <Notice kind="info" urgent>
            <p>{done}</p>
          </Notice>
        ) : null}
        {poll.data === undefined ? <Progress reason={asking} /> : children(poll.data)}
      </main>
      <ConnectionNotice lost={poll.lost} trying={poll.trying} again={() => void poll.again()} />
    </div>
  );
}
