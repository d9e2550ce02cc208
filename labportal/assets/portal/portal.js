// What plain HTML cannot do: submit a choice at once, stay quiet in hidden tabs, and say when the portal is gone.
"use strict";

document.querySelectorAll("[data-hide-with-script]").forEach((element) => { element.hidden = true; });

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
});

// Only where this script runs is there anything that copies.
document.documentElement.classList.add("scripted");

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const box = document.getElementById(button.dataset.copy);
  getSelection().selectAllChildren(box);
  try {
    await navigator.clipboard.writeText(box.textContent);
    button.textContent = button.dataset.copied;
  } catch {
    button.textContent = button.dataset.selected;
  }
});

// The portal says nothing as long as nothing changes: the clocks of what is under way go on by themselves.
const begun = new WeakMap();
function goOn() {
  for (const clock of document.querySelectorAll("span.clock")) {
    const [minutes, seconds] = clock.textContent.split(":").map(Number);
    if (!begun.has(clock)) begun.set(clock, Date.now() - (minutes * 60 + seconds) * 1000);
    const passed = Math.floor((Date.now() - begun.get(clock)) / 1000);
    clock.textContent = [Math.floor(passed / 60), passed % 60].map((part) => String(part).padStart(2, "0")).join(":");
  }
}
goOn();
setInterval(goOn, 1000);

const lost = document.getElementById("connection");
const icon = document.getElementById("icon");
const title = document.title.replace(/^\d+ [^·]*· /, "");
let opened = [];
let ticked = new Map();
let focused = "";

document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault();
});
let updated = new Date();

// As the portal writes times, in the person's own zone.
function clockTime(moment) {
  const { lang, dataset } = document.documentElement;
  return moment.toLocaleTimeString(lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: dataset.zone });
}

function tellLost() {
  const since = lost.querySelector("span");
  since.querySelector("time").textContent = clockTime(updated);
  since.hidden = false;
  lost.hidden = false;
}

document.body.addEventListener("htmx:sendError", tellLost);
document.body.addEventListener("htmx:responseError", tellLost);
document.body.addEventListener("htmx:afterRequest", (event) => {
  if (!event.detail.successful) return;
  updated = new Date();
  lost.hidden = true;
});
document.body.addEventListener("htmx:beforeSwap", () => {
  opened = [...document.querySelectorAll("details[open][id]")].map((element) => element.id);
  ticked = new Map([...document.querySelectorAll("input[type=checkbox][id]")].map((box) => [box.id, box.checked]));
  focused = document.activeElement?.id;
});
document.body.addEventListener("htmx:afterSwap", () => {
  goOn();
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  for (const [id, checked] of ticked) { const box = document.getElementById(id); if (box) box.checked = checked; }
  // What stood in a closed part could not take the focus back before.
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
  const running = Number(document.querySelector("[data-running][hx-get]")?.dataset.running);
  document.title = running ? `${running} ${document.querySelector("title").dataset.running} · ${title}` : title;
  icon.href = running ? icon.dataset.running : icon.dataset.calm;
});
