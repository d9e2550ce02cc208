// Text as keystrokes of the machine's keyboard: which keys write a sign there, and pressing them.
import keysyms from "../vendor/novnc-1.7.0-1/core/input/keysymdef.js";
import data from "./console-layouts.js";

const NAMED = { "\n": ["Enter", 0xff0d], "\t": ["Tab", 0xff09], "\b": ["Backspace", 0xff08], " ": ["Space", 0x20] };
const [SHIFT, ALT_GR, CAPS_LOCK] = [[0xffe1, "ShiftLeft"], [0xfe03, "AltRight"], [0xffe5, "CapsLock"]];
const DEAD = { "`": 0xfe50, "´": 0xfe51, "^": 0xfe52, "~": 0xfe53, "¨": 0xfe57 };
const MARKS = { "`": "\u0300", "´": "\u0301", "^": "\u0302", "~": "\u0303", "¨": "\u0308" };
// A dead key and Space write the accent itself. Not these two: Linux writes ' and " instead.
const WITH_SPACE = "`^~";

// Milliseconds for a key that goes down or up. QEMU hands on one in 10, and forgets keys that are 1024 behind.
const PACE = 12;
const PATIENCE = 1500; // milliseconds for the machine to answer Caps Lock with its light

const CODES = data.keys.split(" ");
const LAYOUTS = {};
for (const [name, { rows }] of Object.entries(data.layouts)) LAYOUTS[name] = rows.map((row) => row.split(" "));

const PRESSED = {};
for (const [name, row] of Object.entries(data.pressed)) PRESSED[name] = row.split(" ");

const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });
const named = (sign) => ({ code: NAMED[sign][0], keysym: NAMED[sign][1] });

/** Whether text can be typed at all with this keyboard option of Proxmox VE. */
export const knows = (option) => !option || option in LAYOUTS;

/**
 * The strokes that write each sign, as a Map of lists of {code, keysym, shift, altGr}, with the layout of the guest. Where
 * Proxmox VE has a keyboard option, QEMU looks up the keysym in the option's layout and ignores the code; otherwise it
 * takes the code. So each stroke has both, for the same key.
 */
export function strokesWith({ layout, option, isWindows }) {
  const strokes = new Map(Object.keys(NAMED).map((sign) => [sign, [named(sign)]]));
  const onWindows = isWindows ? data.layouts[layout].notOnWindows : "";
  LAYOUTS[layout].forEach((signs, level) => signs.forEach((sign, place) => {
    if (sign === "no" || strokes.has(sign) || onWindows.includes(sign)) return;
    const keysym = option ? keysymFor(option, place, level) : keysymOf(sign);
    if (!keysym) return;
    strokes.set(sign, [{ code: CODES[place], keysym, shift: Boolean(level & 1), altGr: Boolean(level & 2) }]);
  }));
  for (const [accent, letters] of Object.entries(data.composed)) addComposed(strokes, accent, letters);
  return strokes;
}

function keysymOf(sign) {
  return sign.length > 1 ? DEAD[sign[1]] : keysyms.lookup(sign.codePointAt(0));
}

/** By which QEMU finds this key with a keyboard option; nothing when it finds another at this level. */
function keysymFor(option, place, level) {
  const found = PRESSED[option][place];
  if (found.length === 4) return parseInt(found, 16);
  const sign = found.length === 1 ? found : found[level];
  return sign && keysymOf(sign);
}

function addComposed(strokes, accent, letters) {
  const dead = strokes.get(`*${accent}`);
  strokes.delete(`*${accent}`);
  if (!dead) return;
  for (const letter of letters) {
    const sign = `${letter}${MARKS[accent]}`.normalize("NFC");
    if (!strokes.has(sign) && strokes.has(letter)) strokes.set(sign, [...dead, ...strokes.get(letter)]);
  }
  if (!strokes.has(accent) && WITH_SPACE.includes(accent)) strokes.set(accent, [...dead, named(" ")]);
}

/** Of a display that takes signs instead of the codes of keys, as those of containers do: it needs no layout. */
export const takesCodes = (link) => link._qemuExtKeyEventSupported;
export const signAlone = {
  get: (sign) => [NAMED[sign] ? named(sign) : { code: null, keysym: keysyms.lookup(sign.codePointAt(0)) }],
};

/** The signs of a text that cannot be written, each with its first place, from 1. */
export function unwritable(signs, strokes) {
  const found = new Map();
  signs.forEach((sign, place) => { if (!strokes.get(sign) && !found.has(sign)) found.set(sign, place + 1); });
  return found;
}

/** Write one sign, and wait until the machine has had time for it. */
export async function write(link, strokes) {
  for (const { keysym, code, shift, altGr } of strokes) {
    const held = [...(shift ? [SHIFT] : []), ...(altGr ? [ALT_GR] : [])];
    for (const key of held) link.sendKey(...key, true);
    link.sendKey(keysym, code, true);
    link.sendKey(keysym, code, false);
    for (const key of held.reverse()) link.sendKey(...key, false);
    await pause(PACE * 2 * (1 + held.length));
  }
}

/**
 * Caps Lock in the machine, as its light tells. Some machines leave the light dark: text consoles of Debian do, with all
 * layouts but en-us. So before the dark is believed, the light has to follow the key once.
 */
export class CapsLock {
  #link;
  #isLit = null; // as the machine said last; null: it said nothing
  #follows = false;
  #isTried = false;
  isConfirmed = false; // a person says that it is off

  constructor(link) {
    this.#link = link;
    // noVNC's own note of the light is empty from each key until the light changes, which it may never do.
    let note = link._remoteCapsLock;
    Object.defineProperty(link, "_remoteCapsLock", {
      get: () => note,
      set: (isLit) => { note = isLit; if (isLit !== null) this.#take(isLit); },
    });
  }

  #take(isLit) {
    this.#follows ||= this.#isLit !== null && this.#isLit !== isLit;
    this.#isLit = isLit;
  }

  /** Switch it off. Gives "off", "on" when it stays on, or "unknown". */
  async switchOff() {
    if (!takesCodes(this.#link)) return "off"; // signs are not keys
    if (this.#isLit) return (await this.#press(false)) ? "off" : "on";
    if (!this.#follows && !this.#isTried) {
      this.#isTried = true;
      const isLit = await this.#press(true);
      if (!(await this.#press(false)) && isLit) return "on";
    }
    return this.#follows || this.isConfirmed ? "off" : "unknown";
  }

  /** Whether the light then becomes so. */
  async #press(wanted) {
    this.#link.sendKey(...CAPS_LOCK);
    const end = Date.now() + PATIENCE;
    do await pause(PACE * 2); while (this.#isLit !== wanted && Date.now() < end);
    return this.#isLit === wanted;
  }
}
