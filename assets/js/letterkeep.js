// Comfort only: every page works without this file.
const root = document.documentElement;
root.dataset.script = "on";

// The reader's own time zone, so that times can be written in it. A cookie for the next page; nothing else reads it.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && /^[A-Za-z0-9_+\-/]{1,64}$/.test(zone) && !document.cookie.includes(`letterkeep-zone=${zone}`)) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `letterkeep-zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-do]");
  if (!button) return;
  const target = document.getElementById(button.getAttribute("aria-controls") ?? "");
  switch (button.dataset.do) {
    case "reveal": {
      const hidden = target.type === "password";
      target.type = hidden ? "text" : "password";
      button.setAttribute("aria-pressed", String(hidden));
      button.textContent = hidden ? button.dataset.hide : button.dataset.show;
      break;
    }
    case "copy":
      copy(button, target);
      break;
    case "print":
      window.print();
      break;
  }
});

// Copies the text of an element and says so, to eyes for a moment and to screen readers. Where nothing may be copied, the
// text is marked, ready for the keyboard.
async function copy(button, target) {
  try {
    await navigator.clipboard.writeText(target.value ?? target.textContent);
  } catch {
    getSelection()?.selectAllChildren(target);
    return;
  }
  document.getElementById("announcer").textContent = button.dataset.done;
  button.dataset.word ??= button.textContent;
  button.textContent = button.dataset.done;
  clearTimeout(button.lapse);
  button.lapse = setTimeout(() => {
    button.textContent = button.dataset.word;
  }, 2000);
}

// A form is sent once: a second click while the answer is on its way does nothing.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.hasAttribute("hx-post") || form.dataset.again) return;
  // What is sent into a frame beside the form, as a preview is, leaves the form where it is.
  if (event.submitter?.hasAttribute("formtarget")) return;
  if (form.dataset.sent === "yes") {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// The sheet of the bottom bar closes with Escape, which gives the focus back, and when pointer or focus go elsewhere: it
// would cover what they went to.
const sheet = document.querySelector("details.sheet");
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !sheet?.open) return;
  sheet.open = false;
  sheet.querySelector("summary").focus();
});
for (const leaving of ["click", "focusin"]) {
  document.addEventListener(leaving, (event) => {
    if (sheet?.open && !sheet.contains(event.target)) sheet.open = false;
  });
}

// The frame beside a form follows what is typed: the button that shows it is pressed after a pause.
for (const form of document.querySelectorAll("form[data-preview]")) {
  const button = document.getElementById(form.dataset.preview);
  let pause;
  form.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => form.requestSubmit(button), 900);
  });
}
