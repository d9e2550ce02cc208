// What the admin's pages do beyond Django's: menus that close, and copying what stands in a box.
"use strict";

const MENUS = ".menu details, .filter";

const closeMenus = (except) => {
  document.querySelectorAll(MENUS).forEach((menu) => {
    if (menu !== except) menu.open = false;
  });
};

document.addEventListener("click", (event) => closeMenus(event.target.closest(MENUS)));

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.activeElement.closest(MENUS);
  closeMenus();
  open?.querySelector("summary").focus();
});

// Where a page may not write to the clipboard, the text is selected instead.
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
