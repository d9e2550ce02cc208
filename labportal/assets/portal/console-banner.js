// What the portal has to say about the machine: for instance that it will be stopped, with a button against it.

const at = (id) => document.getElementById(id);

export function warn({ text, button, url }) {
  if (at("banner-words").textContent !== text) at("banner-words").textContent = text; // it is read aloud
  at("banner").hidden = !text;
  at("banner-form").hidden = !url;
  at("banner-form").action = url;
  at("banner-button").textContent = button;
}
