// Keys that do not come from a keyboard: a phone's keyboard, keys on the screen. And the way out.
const KEYS = {
  Enter: 0xff0d, Tab: 0xff09, Backspace: 0xff08, Escape: 0xff1b, ArrowLeft: 0xff51, ArrowUp: 0xff52,
  ArrowRight: 0xff53, ArrowDown: 0xff54, ShiftLeft: 0xffe1, ControlLeft: 0xffe3, AltLeft: 0xffe9,
};

export function press(link, name, down) {
  link.sendKey(KEYS[name], name, down);
}

/**
 * A field whose changes are keys: a phone's keyboard tells no keys, only what became of the text. It is never empty, so
 * that there is always something to delete. `link` gives the connection, `write` gets signs, `typed` is called after every
 * key that is no sign.
 */
export function mirror(field, { link, write, typed }) {
  const filling = "_".repeat(60);
  let last = "";
  const reset = () => { field.value = last = filling; field.setSelectionRange(filling.length, filling.length); };
  reset();
  field.addEventListener("focus", reset);
  field.addEventListener("keydown", (event) => {
    if (!link() || (!event.key.startsWith("Arrow") && event.key !== "Escape")) return;
    event.preventDefault();
    press(link(), event.key);
    typed();
  });
  field.addEventListener("input", (event) => {
    if (!link()) return;
    const value = field.value;
    let same = 0;
    while (same < last.length && last[same] === value[same]) same += 1;
    write([..."\b".repeat(last.length - same), ...value.slice(same)]);
    last = value;
    if (!event.isComposing && (value.length < 20 || value.length > 300)) reset();
  });
}

/** Call `leave` when Ctrl, Alt and Shift, and nothing else, were pressed together and let go. The machine gets them. */
export function wayOut(area, leave) {
  const held = new Set();
  let chord = false;
  area.addEventListener("keydown", (event) => {
    // By the key's place: Alt with Shift has another name in some browsers.
    const key = event.code.replace(/(Left|Right)$/, "");
    held.add(key);
    if (!["Control", "Alt", "Shift"].includes(key)) chord = false;
    else if (held.size === 3) chord = ["Control", "Alt", "Shift"].every((one) => held.has(one));
  }, true);
  area.addEventListener("keyup", (event) => {
    held.delete(event.code.replace(/(Left|Right)$/, ""));
    if (held.size) return;
    if (chord) setTimeout(leave); // after noVNC has let the last key go
    chord = false;
  }, true);
  addEventListener("blur", () => { held.clear(); chord = false; });
}
