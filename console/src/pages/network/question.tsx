import { useRef, useState } from "preact/hooks";
import { api } from "../../api/client";
import type { Explanation } from "../../api/types";
import { explainFailure } from "../../logic/failure";
import { answerWords } from "../../logic/network";
import { Choice } from "../../ui/choice";
import { Field } from "../../ui/field";
import { StatusWord } from "../../ui/status";
import { Rules } from "./rules";

const SITE = "site";
const PLACES = [
  ["lan", "Devices at home"],
  ["internet", "The Internet"],
  ["mesh", "Your other boxes"],
  ["box", "This box"],
] as const;

/** "May A reach B?" */
export function Question({ apps }: { apps: string[] }) {
  const [from, setFrom] = useState(apps[0] === undefined ? "lan" : `app:${apps[0]}`);
  const [to, setTo] = useState(apps[0] === undefined ? "box" : "lan");
  const [site, setSite] = useState("");
  const [port, setPort] = useState("");
  const [answer, setAnswer] = useState<Explanation>();
  const [trouble, setTrouble] = useState<string>();

  /** Which question is the latest: an answer to another one says nothing about what the form asks now. */
  const latest = useRef(0);

  const ends = [...apps.map((app) => [`app:${app}`, app] as const), ...PLACES];

  /** Takes the old answer away. */
  function begin(): number {
    setAnswer(undefined);
    setTrouble(undefined);
    latest.current += 1;
    return latest.current;
  }

  function edits<T>(set: (value: T) => void) {
    return (value: T) => {
      begin();
      set(value);
    };
  }

  async function ask() {
    const question = begin();
    const where = to === SITE ? `internet:${site.trim().toLowerCase()}` : to;
    const target = port.trim() === "" ? where : `${where} ${port.trim().toLowerCase()}`;
    try {
      const found = await api.explain(from, target);
      if (question === latest.current) setAnswer(found);
    } catch (error) {
      if (question === latest.current) setTrouble(explainFailure(error));
    }
  }

  return (
    <form
      class="question"
      aria-label="May one reach the other?"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void ask();
      }}
    >
      <div class="question-ends">
        <Choice label="May" value={from} options={ends} onValue={edits(setFrom)} />
        <Choice label="reach" value={to} options={[...ends, [SITE, "A site on the Internet"]]} onValue={edits(setTo)} />
      </div>
      {to === SITE ? (
        <Field label="Site" value={site} onValue={edits(setSite)} input={{ autocomplete: "off", autocapitalize: "none", spellcheck: false, placeholder: "example.com" }} />
      ) : null}
      <div class="question-ask">
        <Field label="At port" value={port} onValue={edits(setPort)} input={{ autocomplete: "off", autocapitalize: "none", spellcheck: false, placeholder: "any, or tcp/443" }} />
        <button type="submit" class="button">
          Ask
        </button>
      </div>
      <div role="status">
        {trouble ? <p class="field-error">{trouble}</p> : null}
        {answer ? <Answer answer={answer} /> : null}
      </div>
    </form>
  );
}

function Answer({ answer }: { answer: Explanation }) {
  const { word, tone, text } = answerWords(answer);
  return (
    <div class="answer">
      <p>
        <StatusWord tone={tone}>{word}</StatusWord>
      </p>
      <p>{text}</p>
      {answer.rules.length > 0 ? <Rules rules={answer.rules} /> : null}
      <p class="quiet">Anything else is stopped by:</p>
      <Rules rules={[answer.otherwise]} />
    </div>
  );
}
