"use strict";
// Backtest: starts one, shows how far it is, and then its report.
(() => {
  const { read, given, send } = window.moderatorEdits;
  const form = document.getElementById("backtest");
  const box = document.getElementById("job");
  if (!form) return;

  const ASK_EVERY_MS = 500;
  const edits = read();
  const size = Object.keys(edits).length;
  if (size) {
    const choice = document.getElementById("candidate-edit");
    choice.disabled = false;
    choice.checked = true;
    document.getElementById("edit-size").textContent = `(${size} ${size === 1 ? "file" : "files"})`;
  }

  const problem = document.getElementById("not-started");
  const fail = (text) => {
    problem.className = text ? "broken" : "";
    if (text) problem.dataset.testid = "state-broken";
    problem.textContent = text;
  };

  const start = document.getElementById("start");
  const follow = async (id) => {
    start.disabled = true;
    for (;;) {
      let html;
      try {
        html = await (await send("GET", `/parts/backtest/${id}`)).text();
        fail("");
      } catch (error) {
        fail(error.message);
        await wait();
        continue;
      }
      const focused = document.activeElement?.id === "cancel";
      box.innerHTML = html;
      if (box.querySelector("[data-job]")?.dataset.state !== "running") break;
      if (focused) document.getElementById("cancel")?.focus();
      await wait();
    }
    start.disabled = false;
    document.getElementById("report-title")?.focus();
  };
  const wait = () => new Promise((done) => setTimeout(done, ASK_EVERY_MS));

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    fail("");
    const field = (name) => form.elements[name].value.trim();
    const edit = form.elements.candidate.value === "edit" ? edits : {};
    const body = { ...given(edit), labels: form.elements.labels.checked };
    for (const name of ["from", "to"]) if (field(name)) body[name] = field(name);
    start.disabled = true;
    let id;
    try {
      id = (await (await send("POST", "/api/backtests", body)).json()).id;
    } catch (error) {
      const help = error.code === "edit_outdated" ? ". Choose on the page Playground which text counts." : "";
      fail(`Not started: ${error.message}${help}`);
      start.disabled = false;
      return;
    }
    follow(id);
  });

  box.addEventListener("click", (event) => {
    const job = event.target.closest("[data-job]")?.dataset.job;
    if (job && event.target.id === "cancel") send("DELETE", `/api/backtests/${job}`).catch((error) => fail(error.message));
  });

  const running = box.querySelector("[data-state=running]");
  if (running) follow(running.dataset.job);
})();
