// Numbers, dates and sizes as the reader reads them. Acquisition dates are UTC days; moments are in the reader's zone.

import { text } from "./text.js";

const day = (options) => new Intl.DateTimeFormat(text.locale, { timeZone: "UTC", ...options });
const LONG = day({ day: "numeric", month: "long", year: "numeric" });
const SHORT = day({ day: "numeric", month: "short" });
const MONTH = day({ month: "short", year: "numeric" });
const MOMENT = new Intl.DateTimeFormat(text.locale, { dateStyle: "medium", timeStyle: "short" });

/** Milliseconds since 1970 of a day, "2021-05-01" at midnight UTC. */
export const dayTime = (date) => Date.parse(`${date}T00:00:00Z`);

const or = (format, date) => (Number.isNaN(dayTime(date)) ? String(date) : format.format(dayTime(date)));

/** "1 May 2021" of "2021-05-01"; what is no day stays as it is. */
export const longDay = (date) => or(LONG, date);

/** "1 May" of "2021-05-01". */
export const shortDay = (date) => or(SHORT, date);

/** "May 2021" of milliseconds since 1970. */
export const monthYear = (stamp) => MONTH.format(stamp);

/** A moment in the reader's zone. */
export const moment = (iso) => MOMENT.format(new Date(iso));

/** "37 %" of 0.37; "< 1 %" of what is not quite none. */
export function percent(share) {
  if (share === null || share === undefined || Number.isNaN(share)) return "–";
  if (share > 0 && share < 0.01) return "< 1 %";
  if (share < 1 && share > 0.99) return "> 99 %";
  return `${Math.round(share * 100)} %`;
}

/** A number with so many decimals, "–" where there is none. */
export const number = (value, decimals) => (Number.isFinite(value) ? value.toFixed(decimals) : "–");

/** "12.3 MB" of bytes. */
export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(count, 1)) / 3)));
  return `${(count / 1000 ** step).toFixed(step > 1 ? 1 : 0)} ${units[step]}`;
}

/** "450 m", "1.2 km". */
export const metres = (length) => (length >= 1000 ? `${+(length / 1000).toFixed(1)} km` : `${+length.toFixed(1)} m`);
