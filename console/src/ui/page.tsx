import { useEffect, useRef } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { Brand } from "./mark";

/** Shell of a page that does one thing: the mark on top, one card in the middle. */
export function CardPage({ title, before, children }: { title: string; before?: ComponentChildren; children: ComponentChildren }) {
  useTitle(title);
  return (
    <div class="page page-narrow">
      <header class="page-head">
        <Brand />
      </header>
      <main class="card card-big">
        {before}
        {children}
      </main>
    </div>
  );
}

/** Whether this document has shown a heading yet. */
let opened = false;

/**
 * The page's heading. It takes the focus whenever it appears or `turn` changes, so that a screen reader starts
 * reading where the page is new; but not on opening the document, which is read from its top anyway.
 */
export function Heading({ turn, children }: { turn?: unknown; children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (opened) heading.current?.focus();
    opened = true;
  }, [turn]);
  return (
    <h1 ref={heading} tabIndex={-1}>
      {children}
    </h1>
  );
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Hearth`;
  }, [title]);
}
