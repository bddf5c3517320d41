import { useState } from "preact/hooks";
import { api } from "../../api/client";
import type { Explanation } from "../../api/types";
import { explainFailure } from "../../logic/failure";
import { answerWords } from "../../logic/network";
import { Choice } from "../../ui/choice";
import { Field } from "../../ui/field";
import { StatusWord } from "../../ui/status";
import { Rules } from "./firewall";

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

  const ends = [...apps.map((app) => [`app:${app}`, app] as const), ...PLACES];

  async function ask() {
    setTrouble(undefined);
    const where = to === SITE ? `internet:${site.trim().toLowerCase()}` : to;
    const target = port.trim() === "" ? where : `${where} ${port.trim().toLowerCase()}`;
    try {
      setAnswer(await api.explain(from, target));
    } catch (error) {
      setAnswer(undefined);
      setTrouble(explainFailure(error));
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
        <Choice label="May" value={from} options={ends} onValue={setFrom} />
        <Choice label="reach" value={to} options={[...ends, [SITE, "A site on the Internet"]]} onValue={setTo} />
      </div>
      {to === SITE ? (
        <Field label="Site" value={site} onValue={setSite} input={{ autocomplete: "off", autocapitalize: "none", spellcheck: false, placeholder: "example.com" }} />
      ) : null}
      <div class="question-ask">
        <Field label="At port" value={port} onValue={setPort} input={{ autocomplete: "off", autocapitalize: "none", spellcheck: false, placeholder: "any, or tcp/443" }} />
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
