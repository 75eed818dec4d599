// Times and progress of a job in words.

import { percent } from "../format.js";
import { text } from "./text.js";
import { ended, stateOf } from "./api.js";

const words = text.jobs;

/** "12 s", "3 min", "2 h 10 min" of seconds: as exact as somebody who waits wants it. */
export function duration(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return "–";
  if (seconds < 59.5) return words.seconds(Math.max(1, Math.round(seconds)));
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? words.minutes(minutes) : words.hours(Math.floor(minutes / 60), minutes % 60);
}

/** What a job is doing: the phase, the step, the time left; or how it ended. */
export function doing(job) {
  const state = stateOf(job);
  if (state === "accepted") return job.queue_position ? words.queued(job.queue_position) : words.waiting;
  if (state !== "running") return state === "failed" ? String(job.message ?? "") : words.states[state];
  const phase = job.phase ? (words.phases[job.phase] ?? sentence(job.phase)) : words.starting;
  return [phase, job.of ? words.step(job.step ?? 0, job.of) : null].filter(Boolean).join(" · ");
}

/** "about 3 min left", or nothing while nobody knows. */
export const left = (job) => (!ended(job) && Number.isFinite(job.eta_s) ? words.left(duration(job.eta_s)) : "");

/** The part of an error that a result saves: 0.41 of figures in dB, less than 0 where it is worse. */
export const saved = (decibel) => 1 - 10 ** (-decibel / 20);

/** "41 % less error than interpolation" of a gain in dB. */
export function gainWords(decibel) {
  const share = saved(decibel);
  if (Math.abs(share) < 0.005) return words.sameError;
  // So much more error: of the interpolation's.
  return share > 0 ? words.lessError(percent(share)) : words.moreError(percent(-share));
}

/** A phase's name as the beginning of a sentence. */
export const sentence = (name) => String(name).slice(0, 1).toUpperCase() + String(name).slice(1);
