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
const PATIENCE = 3000; // milliseconds for the machine to answer Caps Lock with its light

const CODES = data.keys.split(" ");
const LAYOUTS = {};
for (const [name, { rows }] of Object.entries(data.layouts)) LAYOUTS[name] = rows.map((row) => row.split(" "));

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
    const keysym = keysymAt(LAYOUTS[option || layout], place, level);
    if (sign === "no" || strokes.has(sign) || onWindows.includes(sign) || !keysym) return;
    strokes.set(sign, [{ code: CODES[place], keysym, shift: Boolean(level & 1), altGr: Boolean(level & 2) }]);
  }));
  for (const [accent, letters] of Object.entries(data.composed)) addComposed(strokes, accent, letters);
  return strokes;
}

/** What this key writes, for QEMU to find the key by it: at this level, so that it is the only one, or else alone. */
function keysymAt(rows, place, level) {
  const sign = [rows[level]?.[place], rows[0][place]].find((one) => one && one !== "no");
  if (!sign) return 0;
  return sign.length > 1 ? DEAD[sign[1]] : keysyms.lookup(sign.codePointAt(0));
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
 * A function that tells what the machine's light of Caps Lock said last; null: nothing yet. noVNC forgets it whenever it
 * presses the key, and where the machine ignores the key, no light tells again.
 */
export function watchCapsLock(link) {
  let [now, last] = [link._remoteCapsLock, null];
  Object.defineProperty(link, "_remoteCapsLock", {
    get: () => now,
    set: (on) => { now = on; last = on ?? last; },
  });
  return () => last;
}

/** Switch Caps Lock off in the machine. Gives whether it is off; where no light tells, it is taken to be. */
export async function capsLockOff(link, isOn) {
  if (!isOn()) return true;
  link.sendKey(...CAPS_LOCK);
  const end = Date.now() + PATIENCE;
  while (isOn() && Date.now() < end) await pause(20);
  return !isOn();
}
