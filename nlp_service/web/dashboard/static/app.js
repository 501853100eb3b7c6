// Small helps; every page works without them except where a comment says so.
"use strict";

// A select that stands for a filter sends its form when it changes.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});

// Ctrl or Cmd with Enter sends the form that is being written.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("textarea")) {
    event.preventDefault();
    event.target.form.requestSubmit();
  }
});

// An example fills the field that it belongs to.
document.addEventListener("click", (event) => {
  const example = event.target.closest("[data-fills]");
  if (!example) return;
  const field = document.getElementById(example.dataset.fills);
  field.value = example.dataset.text;
  field.form.requestSubmit();
});

// Single keys press the button that names them, as long as nobody is writing.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.key.length !== 1) return;
  if (event.target.matches("input:not([type=radio]):not([type=checkbox]), textarea, select")) return;
  const button = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!button) return;
  event.preventDefault();
  button.click();
});

// On a phone the navigation is a strip: the page that is open must be in sight.
document.addEventListener("DOMContentLoaded", () => {
  const here = document.querySelector(".nav [aria-current]");
  const strip = here && here.closest(".nav");
  if (strip) strip.scrollLeft = here.offsetLeft - (strip.clientWidth - here.offsetWidth) / 2;
});
