// How long something is waited for, in minutes and seconds.

let started = 0;

/** From now on, or from what a clock of the page shows already. */
export function start(shown = "0") {
  started = Date.now() - shown.split(":").reduce((sum, part) => sum * 60 + Number(part), 0) * 1000;
}

export function passed() {
  const seconds = Math.floor((Date.now() - started) / 1000);
  return [Math.floor(seconds / 60), seconds % 60].map((part) => String(part).padStart(2, "0")).join(":");
}
