"use strict";
// Review: an answer is saved, the next decision comes; what is not saved stays with its note.
(() => {
  const { send } = window.moderatorEdits;
  const box = document.getElementById("review");
  const saved = document.getElementById("saved");
  if (!box) return;
  const answered = [];

  let isSaving = false;
  let asked = 0;  // items asked for
  let seen = 0;  // which of them is seen; an answer of the console that comes late never takes the place of a newer one

  const queue = () => box.dataset.queue;
  const item = () => document.getElementById("review-item");

  // Gives false where another one was asked for meanwhile.
  const show = async (decision) => {
    const mine = (asked += 1);
    const query = new URLSearchParams({ queue: queue(), ...(decision ? { decision } : {}) });
    try {
      const html = await (await send("GET", `/parts/review?${query}`)).text();
      if (mine !== asked) return false;
      box.innerHTML = html;
    } finally {
      if (mine === asked) seen = mine;
    }
    (item() ?? box.querySelector("[data-testid=queue]"))?.focus({ preventScroll: true });
    saved.scrollIntoView({ block: "nearest" });  // what was saved, and below it the item's start
    return true;
  };

  const announce = (text) => {
    const undo = saved.querySelector("button");
    saved.textContent = text;
    if (!answered.length) return;
    const button = undo ?? document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.dataset.testid = "undo";
    button.textContent = "Undo";
    button.onclick = back;
    saved.append(" ", button);
  };

  const back = async () => {
    if (isSaving || !answered.length) return;  // what is not saved must stay with its note
    const decision = answered.pop();
    try {
      if (await show(decision)) announce("Back at the last one: answer again.");
    } catch (error) {
      answered.push(decision);
      announce(error.message);
    }
  };

  const answer = async (judgement) => {
    const current = item();
    const note = document.getElementById("note");
    const problem = document.getElementById("not-saved");
    if (!current || !note || isSaving || asked !== seen) return;
    isSaving = true;
    problem.replaceChildren();
    const buttons = [...current.querySelectorAll("[data-judgement]")];
    buttons.forEach((each) => each.setAttribute("aria-disabled", "true"));
    const fail = (text) => {
      problem.className = "broken";
      problem.dataset.testid = "state-broken";
      problem.textContent = text;
      buttons.forEach((each) => each.removeAttribute("aria-disabled"));
    };
    const decision = current.dataset.decisionId;
    try {
      await send("POST", "/api/labels", { decision_id: decision, judgement, note: note.value || null, queue: queue() });
    } catch (error) {
      fail(`Not saved: ${error.message} Your answer and note are still here; try again.`);
      return;
    } finally {
      isSaving = false;
    }
    answered.push(decision);
    announce("Saved.");
    await show().catch((error) => fail(`Saved, but the next one does not come: ${error.message}`));
  };

  box.addEventListener("click", (event) => {
    const button = event.target.closest("[data-judgement]");
    if (button) answer(button.dataset.judgement);
  });
  box.addEventListener("submit", (event) => event.preventDefault());
  box.addEventListener("keydown", (event) => {
    const isTyping = event.target.matches("textarea, input, select");
    if (isTyping || event.ctrlKey || event.altKey || event.metaKey || !item()?.contains(event.target)) return;
    const judgement = { 1: "right", 2: "wrong", 3: "unsure" }[event.key];
    if (!judgement || event.repeat) return;
    event.preventDefault();
    answer(judgement);
  });
  item()?.focus({ preventScroll: true });
})();
