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

// Boxes that search while one types are made by select2, which gives them no names: they get those of their fields.
const nameBoxes = () => {
  document.querySelectorAll("select.admin-autocomplete").forEach((select) => {
    const name = document.querySelector(`label[for="${select.id}"]`)?.textContent.trim().replace(/:$/, "");
    const box = select.nextElementSibling;
    if (!name || !box) return;
    box.querySelectorAll(".select2-selection, [role=textbox], [role=searchbox]").forEach((part) => part.setAttribute("aria-label", name));
  });
};

// Django makes the boxes when jQuery is ready, which may be later than this: jQuery keeps the order.
addEventListener("load", () => globalThis.django?.jQuery?.(nameBoxes));

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
