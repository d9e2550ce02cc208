// What plain HTML cannot do: submit a choice at once, stay quiet in hidden tabs, and say when the portal is gone.
"use strict";

document.querySelectorAll("[data-hide-with-script]").forEach((element) => { element.hidden = true; });

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
});

// The admin keeps its colours there: what a person chose for himself holds for both.
try { if (document.querySelector(".who")) localStorage.theme = document.documentElement.dataset.theme; } catch { /* no storage */ }

const lost = document.getElementById("connection");
const title = document.title.replace(/^\d+ [^·]*· /, "");

document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault();
});
document.body.addEventListener("htmx:sendError", () => { lost.hidden = false; });
document.body.addEventListener("htmx:responseError", () => { lost.hidden = false; });
document.body.addEventListener("htmx:afterOnLoad", () => { lost.hidden = true; });
document.body.addEventListener("htmx:afterSwap", () => {
  const running = Number(document.getElementById("machines")?.dataset.running);
  document.title = running ? `${running} running · ${title}` : title;
});
