// Copy what stands in a box. Where a page may not write to the clipboard, it is selected instead.
"use strict";

const copy = async (button) => {
  const box = document.getElementById(button.dataset.copy);
  getSelection().selectAllChildren(box);
  try {
    await navigator.clipboard.writeText(`${box.textContent}\n`);
    button.textContent = button.dataset.copied;
  } catch {
    button.textContent = button.dataset.selected;
  }
};

document.querySelectorAll("[data-copy]").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
});
