// Says that a file is too large before it is sent: where a proxy in front refuses it, the portal has no say.
"use strict";

const FILES = "input[type=file][data-most-bytes]";

function fits(input) {
  const large = [...input.files].some((file) => file.size > Number(input.dataset.mostBytes));
  input.setCustomValidity(large ? input.dataset.tooLarge : "");
  return !large;
}

document.addEventListener("change", (event) => {
  if (event.target.matches(FILES) && !fits(event.target)) event.target.reportValidity();
});

// Forms that are checked by the portal alone (novalidate) come here, too.
document.addEventListener("submit", (event) => {
  const large = [...event.target.querySelectorAll(FILES)].find((input) => !fits(input));
  if (!large) return;
  event.preventDefault();
  large.reportValidity();
});
