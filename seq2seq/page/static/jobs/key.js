// The key: pasted once where the service wants one, kept until the tab closes, sent as a header and never in an address.
// Or not kept at all: who wants to stay signed in has a cookie, which no script sees.

import { fill, h } from "../dom.js";
import { oneLine } from "../failures.js";
import { key, keepKey } from "../http.js";
import { entitle, toast } from "../shell.js";
import { text } from "./text.js";
import { ask, askJson } from "./api.js";
import { styles } from "./styles.js";

const words = text.key;

/** Shows this address again, from the start. */
export const again = () => dispatchEvent(new HashChangeEvent("hashchange"));

// What the service said last: {offered, owner}. Asked for once, and again after signing in or out.
let login = null;
let wasSignedIn = false;

/** Whether staying signed in is offered, and whether a cookie does that now. */
async function state() {
  login ??= askJson("login").catch(() => ({ offered: false }));
  const { offered, owner } = await login;
  wasSignedIn = Boolean(offered && owner && !key());
  return { offered, signedIn: wasSignedIn };
}

/** Forgets the key, or ends the login, and shows the form. */
async function signOut() {
  try {
    if (wasSignedIn) await ask("logout", { method: "POST" });
    wasSignedIn = false;
    login = null;
    keepKey(null);
    again();
  } catch (error) {
    toast(oneLine(error));
  }
}

/** A button for whoever has shown a key or is signed in; nothing where nobody is. */
export async function signOutButton() {
  if (!key() && !(await state()).signedIn) return null;
  return h("button", { type: "button", class: "quiet", onclick: signOut }, key() ? words.forget : words.signOut);
}

/** Has the service keep this browser signed in. The key is in this one request, and then forgotten. */
async function staySignedIn(typed) {
  await ask("login", { method: "POST", headers: { Authorization: `Bearer ${typed}` } });
  login = null;
}

async function useInThisTab(typed) {
  keepKey(typed);
  await askJson("jobs?limit=1");
}

async function drawForm(main) {
  const lost = (key() !== null && words.revoked) || (wasSignedIn && words.signedOut);
  keepKey(null);
  login = null;
  const [{ offered }] = await Promise.all([state(), styles()]);
  const line = h("p", { class: "problem", role: "alert" }, lost);
  const stay = h("input", { id: "stay", type: "checkbox", "aria-describedby": "stay-about" });
  const field = h("input", { id: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true, placeholder: "dcl_…", "aria-describedby": "key-about" });
  const button = h("button", { class: "primary", type: "submit" }, words.use);
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await (stay.checked ? staySignedIn : useInThisTab)(field.value.trim());
      again();
    } catch (error) {
      keepKey(null);
      line.textContent = error.status === 401 ? words.wrong : error.message;
      button.disabled = false;
      field.focus();
    }
  };
  fill(main, h("form", { class: "key-form card", onsubmit: submit }, h("h1", {}, words.title), h("p", { class: "soft", id: "key-about" }, words.about),
    h("div", { class: "field" }, h("label", { for: "key" }, words.label), field),
    offered && h("div", { class: "field" }, h("label", { class: "check", for: "stay" }, stay, h("span", {}, words.stay)), h("p", { class: "soft small", id: "stay-about" }, words.stayAbout)), line, button));
  entitle(words.title);
  field.focus();
}

let drawing = null;

/** A form for a key in place of a view; it says so where a key or a login was there and is no longer taken. */
export async function askKey(main) {
  // Several requests are refused at once; what has been typed since the first stays.
  if (main.querySelector(".key-form")) return;
  drawing ??= drawForm(main).finally(() => { drawing = null; });
  await drawing;
}

/** A view that asks for a key where the service wants one. */
export const keyed = async (loading) => {
  const module = await loading;
  return {
    show: async (main, context) => {
      try {
        const view = await module.show(main, context);
        // Known before a login is over: then it can be said.
        if (!key()) state();
        return view;
      } catch (error) {
        if (error.status !== 401) throw error;
        await askKey(main);
        return { title: words.title };
      }
    },
  };
};
