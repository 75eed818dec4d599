// The form of the settings, made from the process's description: a new setting needs no line here.

import { fill, h } from "../dom.js";
import { sentence } from "../jobs/phrases.js";
import { text } from "../jobs/text.js";

const words = text.new;
const FIRST = ["method", "max_minutes", "products", "seed"];
const OWN = "method_settings";

/** The schema proper of one that allows null, too. */
function proper(schema) {
  const found = schema.anyOf?.find((each) => !(each.enum?.length === 1 && each.enum[0] === null) && each.type !== "null");
  return schema.anyOf ? { ...found, default: schema.default, optional: true } : schema;
}

/** Whether there is anything to choose. */
const chosenAlready = (schema) => schema.enum?.length === 1;

/** "Tile (pixels)" of tile_px: a title of the service is its name in words, the unit at the end. */
function labelOf(name, title) {
  if (words.labels[name]) return words.labels[name];
  const parts = String(title ?? name).toLowerCase().split(" ");
  const unit = words.units[parts.at(-1)];
  return sentence(unit ? `${parts.slice(0, -1).join(" ")} (${unit})` : parts.join(" "));
}

/** One setting: its element, the value typed, and the line for what is wrong with it. */
class Field {
  constructor(path, schema, { title, about }) {
    Object.assign(this, { path, schema: proper(schema), about });
    this.id = `setting-${path.join("-")}`;
    this.problem = h("p", { class: "problem", id: `${this.id}-problem`, role: "alert" });
    const name = path.at(-1);
    const attributes = { id: this.id, "aria-describedby": `${this.id}-about ${this.id}-problem` };
    this.input = this.#input(attributes);
    const label = h("label", { for: this.id }, labelOf(name, title));
    const hint = h("p", { class: "soft small", id: `${this.id}-about` }, words.abouts[name] ?? about);
    this.element = this.schema.type === "boolean"
      ? h("div", { class: "field" }, h("label", { class: "check" }, this.input, h("span", {}, labelOf(name, title))), hint, this.problem)
      : h("div", { class: "field" }, label, this.input, hint, this.problem);
  }

  #input(attributes) {
    const { type, enum: choices, minimum, maximum, default: usual, optional } = this.schema;
    if (type === "boolean") return h("input", { ...attributes, type: "checkbox", checked: usual === true });
    if (choices) {
      const shown = (value) => (this.path.at(-1) === "method" ? words.methods[value] : words.values[value]) ?? String(value);
      const none = optional && h("option", { value: "", selected: usual === null }, words.automatic);
      return h("select", attributes, none, choices.map((value) => h("option", { value, selected: value === usual }, shown(value))));
    }
    if (type === "number" || type === "integer") {
      return h("input", { ...attributes, type: "number", inputmode: "decimal", min: minimum, max: maximum, step: type === "integer" ? 1 : "any", value: usual ?? "", placeholder: optional ? words.automatic : null });
    }
    const shown = type === "array" ? (usual ?? []).join(", ") : usual ?? "";
    return h("input", { ...attributes, type: "text", value: shown, spellcheck: "false", placeholder: type === "array" ? words.listHint : null });
  }

  /** What stands there; nothing where it is the default. Numbers that are none stay texts: the service says so. */
  get value() {
    const { type, default: usual } = this.schema;
    if (type === "boolean") return this.input.checked === (usual === true) ? undefined : this.input.checked;
    const typed = this.input.value.trim();
    if (this.input.validity?.badInput) return "?";
    if (type === "array") {
      const listed = typed.split(/[\s,;]+/).filter(Boolean);
      return listed.join() === (usual ?? []).join() ? undefined : listed;
    }
    if (typed === String(usual ?? "")) return undefined;
    if (this.schema.enum) return this.schema.enum.find((each) => String(each) === typed);
    return type === "number" || type === "integer" ? (typed === "" ? undefined : Number(typed)) : typed;
  }

  set value(value) {
    if (this.schema.type === "boolean") this.input.checked = value === true;
    else this.input.value = Array.isArray(value) ? value.join(", ") : String(value ?? "");
  }

  /** Shows what is wrong with it; nothing: all is well. */
  complain(words_) {
    this.problem.textContent = words_ ?? "";
    if (words_) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
  }
}

export class Settings {
  /** process: the description, as of `GET /processes/decloud`. given: settings of an earlier job. */
  constructor(process, given = {}) {
    this.fields = [];
    const { method_settings: own, sequence, ...rest } = process.inputs;
    this.own = own?.schema.anyOf ?? [];
    this.ownPlace = h("div", { class: "fields" });
    this.ownPart = h("details", { class: "fold" }, h("summary", {}, words.ownSettings), this.ownPlace);
    const make = (name) => this.#field([name], rest[name].schema, rest[name].title, rest[name].description);
    const names = Object.keys(rest).filter((name) => !chosenAlready(proper(rest[name].schema)));
    const first = FIRST.filter((name) => names.includes(name)).map(make);
    const others = names.filter((name) => !FIRST.includes(name)).map(make);
    const method = this.fields.find(({ path }) => path[0] === "method");
    this.element = h("div", { class: "settings" }, h("div", { class: "fields" }, first),
      h("details", { class: "fold" }, h("summary", {}, words.moreSettings(others.length)), h("div", { class: "fields" }, others)), this.ownPart);
    for (const field of [...this.fields]) if (given[field.path[0]] !== undefined) field.value = given[field.path[0]];
    method?.input.addEventListener("change", () => this.#drawOwn(method.input.value));
    this.#drawOwn(method?.input.value);
    for (const field of this.fields) if (field.path[0] === OWN && given[OWN]?.[field.path[1]] !== undefined) field.value = given[OWN][field.path[1]];
  }

  #field(path, schema, title, about) {
    const field = new Field(path, schema, { title, about });
    field.input.addEventListener("input", () => field.complain());
    this.fields.push(field);
    return field.element;
  }

  /** The settings of the chosen method alone. */
  #drawOwn(method) {
    this.fields = this.fields.filter(({ path }) => path[0] !== OWN);
    const found = this.own.find(({ title }) => title?.endsWith(` ${method}`))?.properties ?? {};
    const named = Object.entries(found).filter(([, schema]) => !chosenAlready(proper(schema)));
    fill(this.ownPlace, named.map(([name, schema]) => this.#field([OWN, name], schema, schema.title, schema.description)));
    this.ownPart.hidden = named.length === 0;
  }

  /** What differs from the defaults, as `inputs` wants it. */
  get values() {
    const found = {};
    for (const { path, value } of this.fields) {
      if (value === undefined) continue;
      if (path.length === 1) found[path[0]] = value;
      else found[OWN] = { ...found[OWN], [path[1]]: value };
    }
    return found;
  }

  /** Shows the places that a refusal names beside their fields. Returns whether all have one. */
  complain(places) {
    this.fields.forEach((field) => field.complain());
    let first = null;
    let all = places.length > 0;
    for (const { field: name = "", detail } of places) {
      const parts = name.split(".");
      const field = this.fields.find(({ path }) => (path.length === 1 ? parts.includes(path[0]) : parts.at(-1) === path[1] && parts.includes(OWN)));
      if (!field) { all = false; continue; }
      field.complain(sentence(detail));
      first ??= field;
    }
    if (first) {
      const fold = first.element.closest("details");
      if (fold) fold.open = true;
      first.input.focus();
    }
    return all;
  }
}
