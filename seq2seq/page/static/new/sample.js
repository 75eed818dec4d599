// "Try the sample": a job on a sequence that the service simulates, for who has no data at hand.

import { h } from "../dom.js";
import { oneLine } from "../failures.js";
import { send } from "../jobs/api.js";
import { askKey } from "../jobs/key.js";
import { text } from "../jobs/text.js";
import { go } from "../router.js";
import { toast } from "../shell.js";

const words = text.new;
// Done in two minutes on two cores.
const INPUTS = { sequence: { sample: "fields" }, max_minutes: 1 };

/** A button that starts the job and goes to it. main: where a key is asked for if one is needed. */
export function sampleButton(main, look = "quiet") {
  // Pressed again because an answer was lost, it makes no second job.
  const once = crypto.randomUUID?.() ?? String(Math.random());
  const start = async () => {
    button.disabled = true;
    try {
      const job = await send("POST", "processes/decloud/execution", { inputs: INPUTS, name: words.sampleName }, { headers: { "Idempotency-Key": once } });
      go(`/jobs/${encodeURIComponent(job.id)}`);
    } catch (error) {
      button.disabled = false;
      if (error.status === 401) askKey(main);
      else toast(oneLine(error));
    }
  };
  const button = h("button", { type: "button", class: look, onclick: start }, words.sample);
  return button;
}

/** The same beside a question, for the form; it is seen while files are asked for. */
export const sampleLine = (main) => h("p", { class: "sample-line soft" }, words.noData, " ", sampleButton(main));
