// The key: pasted once where the service wants one, kept until the tab closes, sent as a header and never in an address.

import { fill, h } from "../dom.js";
import { key, keepKey } from "../http.js";
import { entitle } from "../shell.js";
import { text } from "./text.js";
import { askJson } from "./api.js";
import { styles } from "./styles.js";

const words = text.key;

/** Shows this address again, from the start. */
export const again = () => dispatchEvent(new HashChangeEvent("hashchange"));

/** Forgets the key and shows the form. */
export function signOut() {
  keepKey(null);
  again();
}

/** A form for a key in place of a view. revoked: a key was there and is no longer taken. */
export async function askKey(main) {
  // Several requests are refused at once; what has been typed since the first stays.
  if (main.querySelector(".key-form")) return;
  await styles();
  const revoked = key() !== null;
  keepKey(null);
  const line = h("p", { class: "problem", role: "alert" }, revoked && words.revoked);
  const field = h("input", { id: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true, placeholder: "dcl_…", "aria-describedby": "key-about" });
  const button = h("button", { class: "primary", type: "submit" }, words.use);
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    keepKey(field.value.trim());
    try {
      await askJson("jobs?limit=1");
      again();
    } catch (error) {
      keepKey(null);
      line.textContent = error.status === 401 ? words.wrong : error.message;
      button.disabled = false;
      field.focus();
    }
  };
  fill(main, h("form", { class: "key-form card", onsubmit: submit }, h("h1", {}, words.title), h("p", { class: "soft", id: "key-about" }, words.about),
    h("div", { class: "field" }, h("label", { for: "key" }, words.label), field), line, button));
  entitle(words.title);
  field.focus();
}

/** A view that asks for a key where the service wants one. */
export const keyed = async (loading) => {
  const module = await loading;
  return {
    show: async (main, context) => {
      try {
        return await module.show(main, context);
      } catch (error) {
        if (error.status !== 401) throw error;
        await askKey(main);
        return { title: words.title };
      }
    },
  };
};
