/** Says that the box does not answer, without taking the page away. Always in the page, so that a change is read out. */
export function ConnectionNotice({ lost, trying, again }: { lost: boolean; trying: boolean; again: () => void }) {
  return (
    <div class="lost-place" role="status">
      {lost ? (
        <div class="lost">
          <div>
            <strong>The box does not answer.</strong>{" "}
            <span>What you see is from before. This page keeps trying; check that the box has power and that you are on its network.</span>
          </div>
          <button type="button" class="button button-quiet" onClick={again} aria-disabled={trying}>
            {trying ? "Trying…" : "Try now"}
          </button>
        </div>
      ) : null}
    </div>
  );
}
