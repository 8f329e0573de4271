// Copy buttons, the tenant switcher and the tabs of client configurations; every page works without.
(function () {
  "use strict";

  function copyText(text) {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");
    area.value = text;
    area.setAttribute("readonly", "");
    area.className = "ptc-offscreen";
    document.body.appendChild(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done ? Promise.resolve() : Promise.reject(new Error("copy"));
  }

  document.addEventListener("click", function (event) {
    const button = event.target.closest("[data-ptc-copy]");
    if (button) {
      const source = document.getElementById(button.dataset.ptcCopy);
      const label = button.querySelector("[data-ptc-copy-label]");
      const before = label.textContent;
      copyText(source.textContent).then(
        function () { label.textContent = "Copied"; },
        function () { label.textContent = "Select and copy"; }
      ).finally(function () { setTimeout(function () { label.textContent = before; }, 2000); });
    }
    const tab = event.target.closest("[data-ptc-tab]");
    if (tab) {
      const tabs = tab.closest("[data-ptc-tabs]");
      tabs.querySelectorAll("[data-ptc-tab]").forEach(function (other) {
        const chosen = other === tab;
        other.setAttribute("aria-selected", chosen ? "true" : "false");
        document.getElementById(other.dataset.ptcTab).hidden = !chosen;
      });
    }
    const modeButton = event.target.closest("[data-ptc-mode]");
    if (modeButton) {
      document.querySelectorAll("[data-ptc-mode-part]").forEach(function (part) {
        part.hidden = part.dataset.ptcModePart !== modeButton.dataset.ptcMode;
      });
      const field = document.querySelector("[name=mode]");
      if (field) field.value = modeButton.dataset.ptcMode;
      document.querySelectorAll("[data-ptc-mode]").forEach(function (other) {
        other.setAttribute("aria-selected", other === modeButton ? "true" : "false");
      });
    }
  });

  document.addEventListener("change", function (event) {
    const form = event.target.closest("[data-ptc-switcher]");
    if (form) form.submit();
  });

  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("[data-ptc-switch-button]").forEach(function (button) { button.hidden = true; });
  });
})();
