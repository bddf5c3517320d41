import type { Remark } from "../api/apps";
import { remarkWords } from "../logic/install";

/** What is to be said of places of a file. */
export function Remarks({ remarks }: { remarks: Remark[] }) {
  return (
    <ul class="remarks">
      {remarks.map((remark, index) => {
        const { where, words } = remarkWords(remark);
        return (
          <li key={index}>
            {where ? <span class="remark-place">{where}: </span> : null}
            {words}
          </li>
        );
      })}
    </ul>
  );
}
