// Pasted text, and what a phone's keyboard writes: with the layout of the machine's keyboard, which the portal remembers.
import * as talk from "./console-talk.js";
import * as typing from "./console-typing.js";

const MOST_NAMED = 8; // signs that one message names
const BLANK = /[\p{Z}\p{C}\p{M}]/u; // signs that show nothing

const at = (id) => document.getElementById(id);
const layout = at("layout");
const { option, isWindows } = at("layout-box").dataset;

let connection = null; // {link, capsLock, alive, standstill}, of this moment
let running = false;
let last = Promise.resolve(); // keys of a phone go one after the other
let strokes = null;

/** Whose screen this is from now on. `alive` tells whether it still is; `standstill` why keys would do nothing. */
export function connected(link, { alive, standstill }) {
  connection = { link, alive, standstill, capsLock: new typing.CapsLock(link) };
}

/** The strokes of each sign; null while the layout has to be chosen. */
function keyboard() {
  if (!typing.takesCodes(connection.link)) return typing.signAlone;
  if (!typing.knows(option) || !layout.value) return null;
  strokes ??= typing.strokesWith({ layout: layout.value, option, isWindows: Boolean(isWindows) });
  return strokes;
}

function complain(id, text) {
  at(id).textContent = text;
  const field = id === "layout-error" ? layout : at("text");
  field.toggleAttribute("aria-invalid", Boolean(text));
  if (text) field.focus();
  return !text;
}

/** Whether keys can be typed. What is missing is said. */
function ready() {
  const words = at("layout-error").dataset;
  const blocked = typing.takesCodes(connection.link) && !typing.knows(option);
  return complain("layout-error", blocked ? words.blocked : keyboard() ? "" : words.choose);
}

function refusal(signs) {
  const words = at("text-error").dataset;
  if (!signs.length) return words.empty;
  const most = Number(at("text").dataset.most);
  if (signs.length > most) return words.long.replace("{n}", signs.length).replace("{most}", most);
  const bad = [...typing.unwritable(signs, keyboard())];
  if (bad.length) return words.unwritable.replace("{signs}", nameAll(bad, words));
  return connection.standstill();
}

function nameAll(bad, words) {
  const names = bad.slice(0, MOST_NAMED).map(([sign, place]) => words.sign.replace("{sign}", nameOf(sign)).replace("{n}", place));
  if (bad.length > MOST_NAMED) names.push(words.more.replace("{n}", bad.length - MOST_NAMED));
  return names.join(", ");
}

function nameOf(sign) {
  return BLANK.test(sign) ? `U+${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}` : sign;
}

/** Type what is in the field, or nothing. `go` is called before. */
export async function paste(go) {
  at("typed-words").textContent = at("text-error").textContent = "";
  if (!ready()) return;
  const { link, alive, capsLock } = connection;
  // With accents in their letters: a key or two write é, none an accent alone.
  const signs = [...at("text").value.replace(/\r\n?/g, "\n").normalize("NFC")];
  if (!complain("text-error", refusal(signs))) return;
  go();
  const keys = keyboard();
  show(true, signs.length);
  const lock = await capsLock.switchOff();
  let count = 0;
  while (lock === "off" && count < signs.length && running && alive()) {
    await typing.write(link, keys.get(signs[count]));
    count += 1;
    at("typed").value = count;
  }
  show(false);
  if (lock !== "off") {
    capsLock.isConfirmed = lock === "unknown"; // whoever reads it, looks, and presses the button again
    return complain("text-error", at("text-error").dataset[lock === "on" ? "capsLock" : "capsUnknown"]);
  }
  const words = at("typed-words").dataset;
  at("typed-words").textContent = (count < signs.length ? words.stopped : words.done).replace("{n}", count).replace("{all}", signs.length);
}

function show(busy, all = 1) {
  running = busy;
  at("type").disabled = busy;
  at("type-stop").hidden = at("typed").hidden = !busy;
  at("typed").max = all;
}

export function stop() {
  running = false;
}

/** Signs that somebody types without a keyboard, one after the other; `done` is called behind them. */
export function write(signs, done) {
  if (!ready()) return;
  const { link, capsLock } = connection;
  const bad = [...typing.unwritable(signs, keyboard())];
  const words = at("text-error").dataset;
  at("board-error").textContent = bad.length ? words.unwritable.replace("{signs}", nameOf(bad[0][0])) : "";
  if (bad.length) return;
  const each = signs.map((sign) => keyboard().get(sign));
  last = last.then(async () => {
    await capsLock.switchOff();
    for (const one of each) await typing.write(link, one);
    done();
  });
}

at("picture").addEventListener("keydown", ({ code }) => {
  if (code === "CapsLock" && connection) connection.capsLock.isConfirmed = false;
}, true);
layout.addEventListener("change", async () => {
  strokes = null;
  if (!layout.value) return;
  const answer = await talk.chooseLayout(at("layout-box").dataset.address, layout.value);
  const words = at("layout-help").dataset;
  at("layout-help").textContent = answer.layout ? words.saved : words.unsaved;
  if (answer.layout) complain("layout-error", "");
});
