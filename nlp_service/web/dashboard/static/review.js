// The keys of the review page: one per label, j and k to move, Enter to save, ? for help.
"use strict";

(() => {
  const form = document.getElementById("review");
  if (!form) return;
  const help = document.getElementById("keys");

  document.querySelector("[data-help]").addEventListener("click", () => help.showModal());

  // A radio that was chosen is taken back by choosing it again; the intent always stays chosen.
  let chosen = null;
  form.addEventListener("pointerdown", (event) => {
    const label = event.target.closest("label.choice");
    chosen = label && label.querySelector("input:checked[type=radio][data-optional]");
  });
  form.addEventListener("click", (event) => {
    if (chosen && event.target === chosen) chosen.checked = false;
    if (event.target.name === "flags" && event.target.checked) clearOthers(event.target);
  });

  // "None applies" and a flag cannot both be so.
  function clearOthers(picked) {
    for (const other of form.querySelectorAll("input[name=flags]:checked")) {
      if (other !== picked && (picked.value === "none" || other.value === "none")) other.checked = false;
    }
  }

  function pick(choice) {
    if (choice.type === "checkbox") choice.click();
    else choice.checked = !(choice.checked && "optional" in choice.dataset);
    choice.closest("label").scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (help.open) {
      if (event.key === "?") help.close();
      return;
    }
    const at = event.target;
    if (at.matches("textarea, select, input:not([type=radio]):not([type=checkbox])")) return;
    if (event.key === "Enter" && at.matches("a[href], button, summary")) return;
    const choice = event.key.length === 1 && form.querySelector(`[data-pick="${CSS.escape(event.key)}"]`);
    if (event.key === "Enter") form.requestSubmit();
    else if (event.key === "?") help.showModal();
    else if (event.key === "j" || event.key === "k") {
      const link = form.querySelector(`[data-go="${event.key === "j" ? "after" : "before"}"][href]`);
      if (link) link.click();
    } else if (choice) pick(choice);
    else return;
    event.preventDefault();
  });
})();
