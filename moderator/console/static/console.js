"use strict";
// Live parts, the theme, and nothing that a page needs to be read.
(() => {
  const RENEW_MS = 2000;
  const root = document.documentElement;

  const themeSwitch = document.getElementById("theme-switch");
  const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const nameTheme = () => {
    themeSwitch.textContent = isDark() ? "Light" : "Dark";
    themeSwitch.setAttribute("aria-label", isDark() ? "Light colours" : "Dark colours");
  };
  if (themeSwitch) {
    themeSwitch.hidden = false;
    nameTheme();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", nameTheme);
    themeSwitch.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      document.cookie = `moderator_theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=strict`;
      nameTheme();
    });
  }

  const pause = document.getElementById("pause");
  let isPaused = false;
  if (pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      isPaused = !isPaused;
      pause.setAttribute("aria-pressed", String(isPaused));
      pause.textContent = isPaused ? "Paused" : "Pause";
      if (!isPaused) renew();
    });
  }
  const renew = () => {
    if (!isPaused && !document.hidden && window.htmx) htmx.trigger(document.body, "renew");
  };
  setInterval(renew, RENEW_MS);
  document.addEventListener("visibilitychange", renew);

  // A renewed part keeps what is open in it. It is not renewed where nothing has changed, so that nothing is read aloud
  // again, nor where focus is in it and could not be found again, nor by an answer that was on its way at a pause.
  const answers = new Map();
  document.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.target;
    const path = event.detail.pathInfo.requestPath;
    const focused = document.activeElement;
    const isSame = path.startsWith("/parts/") && answers.get(path) === event.detail.serverResponse;
    const wouldLoseFocus = part !== document.body && part.contains(focused) && !focused.id;
    if (isPaused || isSame || wouldLoseFocus) event.detail.shouldSwap = false;
    else if (event.detail.shouldSwap) answers.set(path, event.detail.serverResponse);
    part.openDetails = [...part.querySelectorAll("details[open][id]")].map((each) => each.id);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    for (const id of event.detail.target.openDetails ?? []) document.getElementById(id)?.setAttribute("open", "");
  });
})();
