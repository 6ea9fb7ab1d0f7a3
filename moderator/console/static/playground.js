"use strict";
// The playground: what is typed is checked, judged and compared; the last good result stays while an edit has errors.
(() => {
  const { read, write, given, send } = window.moderatorEdits;
  const at = (id) => document.getElementById(id);
  const editor = at("editor");
  if (!editor) return;

  const CHECK_AFTER_MS = 250;
  const originals = new Map([[editor.dataset.file, editor.value]]);
  const bases = new Map([[editor.dataset.file, editor.dataset.base]]);  // of which file each original is the text
  const onDisk = new Set([...document.querySelectorAll("#files [data-file]")].map((each) => each.dataset.file));
  let edits = read();
  let current = editor.dataset.file;
  let wanted = current;  // the file that was chosen last; its text may still be on its way
  let problems = [];
  let signals = JSON.parse(at("signals").textContent);
  let sound = null;  // the edits that were checked last, where they have no errors; only these are judged
  const set = new Map();  // scores by signal, null: missing


  // --- files -------------------------------------------------------------------------------------------------------
  const isRemoved = (name) => edits[name]?.text === null;
  const textOf = (name) => (name in edits ? edits[name].text : originals.get(name) ?? "");
  const names = () => [...new Set([...onDisk, ...Object.keys(edits)])].sort();

  const drawFiles = () => {
    const list = at("files");
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.file : null;
    list.replaceChildren(
      ...names().map((name) => {
        const item = document.createElement("li");
        const link = document.createElement("a");
        link.href = `/playground?file=${encodeURIComponent(name)}`;
        link.dataset.testid = "file";
        link.dataset.file = name;
        if (name === current) link.setAttribute("aria-current", "true");
        const label = document.createElement("span");
        label.className = "id";
        label.textContent = name;
        link.append(label);
        const state = isRemoved(name) ? "removed" : name in edits ? (onDisk.has(name) ? "edited" : "new") : "";
        const errors = problems.filter((each) => each.file === name && each.severity === "error").length;
        for (const text of [state, errors ? `${errors} ${errors === 1 ? "error" : "errors"}` : ""].filter(Boolean)) {
          const tag = document.createElement("span");
          tag.className = text === state ? "tag" : "tag warn";
          tag.textContent = text;
          link.append(" ", tag);
        }
        item.append(link);
        return item;
      }),
    );
    if (focused) list.querySelector(`[data-file="${CSS.escape(focused)}"]`)?.focus();
    const isEdited = Object.keys(edits).length > 0;
    at("export").disabled = at("revert").disabled = !isEdited;
  };

  const fetchOriginal = async (name) => {
    const answer = await send("GET", `/parts/playground/file?name=${encodeURIComponent(name)}`);
    const { text, base } = await answer.json();
    originals.set(name, text);
    bases.set(name, base);
  };

  const show = async (name) => {
    wanted = name;
    if (!originals.has(name) && onDisk.has(name)) {
      try {
        await fetchOriginal(name);
      } catch (error) {
        say(error.message);
        return;
      }
      if (wanted !== name) return;
    }
    current = name;
    const text = textOf(name);
    const isText = originals.get(name) !== null || name in edits;
    editor.value = text ?? "";
    editor.readOnly = !isText || isRemoved(name);
    editor.dataset.file = name;
    editor.setAttribute("aria-label", `Text of ${name}${isRemoved(name) ? ", removed" : ""}`);
    editor.scrollTop = 0;
    at("remove-name").textContent = name;
    at("remove-file").firstChild.textContent = isRemoved(name) ? "Put back " : "Remove ";
    drawFiles();
    drawMarks();
  };

  at("files").addEventListener("click", (event) => {
    const link = event.target.closest("[data-file]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show(link.dataset.file);
  });

  const put = (name, text) => {
    const base = name in edits ? edits[name].base : bases.get(name) ?? null;
    edits[name] = { text, base };
  };
  const keep = () => {
    if (!write(edits)) say("The edit is too large to be kept when the page is left.");
  };
  const change = (name, text) => {
    if (text === originals.get(name) || (text === null && !onDisk.has(name))) delete edits[name];
    else put(name, text);
    keep();
    later();
  };

  editor.addEventListener("input", () => {
    change(current, editor.value);
    drawFiles();
    drawMarks();
  });

  at("add-file").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = at("new-file").value.trim();
    const isName = /^([^./][^/]*\.ya?ml|lists\/[^./][^/]*\.txt)$/.test(name);
    at("file-error").textContent = !isName
      ? "A file is called NAME.yaml, NAME.yml or lists/NAME.txt."
      : names().includes(name) && !isRemoved(name) ? "There is such a file." : "";
    if (at("file-error").textContent) return;
    at("new-file").value = "";
    change(name, originals.get(name) ?? "");
    if (!onDisk.has(name)) put(name, "");
    keep();
    show(name).then(() => editor.focus());
  });
  at("remove-file").addEventListener("click", () => {
    if (isRemoved(current)) change(current, originals.get(current));
    else change(current, null);
    show(names().includes(current) ? current : names()[0]);
  });

  at("revert").addEventListener("click", () => {
    sayWithUndo("All edits were discarded. ");
    edits = {};
    keep();
    show(onDisk.has(current) ? current : names()[0]);
    check();
  });

  const button = (text, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "quiet";
    made.textContent = text;
    made.addEventListener("click", act);
    return made;
  };
  const sayWithUndo = (text) => {
    const before = { ...edits };
    const undo = () => {
      edits = before;
      say("");
      keep();
      show(names().includes(current) ? current : names()[0]);
      check();
    };
    say(text);
    at("trial-status").append(button("Undo", undo));
  };

  at("export").addEventListener("click", async () => {
    try {
      const answer = await send("POST", "/api/diff", given(edits));
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await answer.blob());
      link.download = "policies.diff";
      link.click();
      URL.revokeObjectURL(link.href);
      say("Exported policies.diff: apply it with `patch -p1 < policies.diff` inside a copy of the folder.");
    } catch (error) {
      say(`Not exported: ${error.message}`);
      if (error.code === "edit_outdated") check();
    }
  });

  const say = (text) => (at("trial-status").textContent = text);

  // --- what the folder has changed ---------------------------------------------------------------------------------
  const drawOutdated = (files) => {
    at("outdated").replaceChildren(...files.map(outdatedNote));
    at("outdated").hidden = !files.length;
  };
  const outdatedNote = (name) => {
    const said = document.createElement("p");
    const file = document.createElement("span");
    file.className = "id";
    file.textContent = name;
    said.append(
      file, " changed in the folder after your edit of it began, and your text would undo that change. ",
      "Until you choose, nothing is judged or exported. To have both, take the folder's text and make your edit again.",
    );
    const choices = document.createElement("p");
    choices.className = "choices";
    const take = button("Take the folder's text", () => choose(name, false));
    const mine = button("Keep my text", () => choose(name, true));
    take.setAttribute("aria-label", `Take the folder's text of ${name}`);
    mine.setAttribute("aria-label", `Keep my text of ${name}`);
    choices.append(take, " ", mine);
    const note = document.createElement("div");
    note.append(said, choices);
    return note;
  };
  const choose = async (name, isMine) => {
    try {
      await fetchOriginal(name);
      onDisk.add(name);
    } catch (error) {
      if (error.code !== "not_found") return say(error.message);
      for (const each of [originals, bases, onDisk]) each.delete(name);
    }
    const text = textOf(name);
    sayWithUndo(isMine ? `Your text of ${name} counts. ` : `The folder's text of ${name} counts. `);
    delete edits[name];
    if (isMine) change(name, text);
    else keep();
    await show(names().includes(name) ? name : names()[0]);
    check();
  };

  // --- what is wrong -----------------------------------------------------------------------------------------------
  const drawMarks = () => {
    const marks = at("marks");
    const lines = editor.value.split("\n");
    const here = problems.filter((each) => each.file === current && each.line && each.line <= lines.length);
    marks.replaceChildren();
    lines.forEach((line, number) => {
      let from = 0;
      const characters = [...line];
      for (const each of here.filter((one) => one.line === number + 1).sort((a, b) => a.column - b.column)) {
        const start = Math.max(from, each.column - 1);
        const end = Math.min(Math.max(characters.length, start), start + Math.max(1, each.width ?? 1));
        marks.append(characters.slice(from, start).join(""));
        const mark = document.createElement("mark");
        mark.className = each.severity;
        mark.textContent = characters.slice(start, end).join("") || " ";
        marks.append(mark);
        from = end;
      }
      marks.append(characters.slice(from).join(""), "\n");
    });
    marks.scrollTop = editor.scrollTop;
  };
  editor.addEventListener("scroll", () => (at("marks").scrollTop = editor.scrollTop));

  const goTo = async (file, line, column, width) => {
    if (names().includes(file)) await show(file);
    if (current !== file) return;  // another one was chosen meanwhile, or it does not come
    if (!line) return editor.focus();
    const lines = editor.value.split("\n");
    const before = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
    const characters = [...(lines[line - 1] ?? "")];
    const start = before + characters.slice(0, column - 1).join("").length;
    const end = start + characters.slice(column - 1, column - 1 + (width ?? 0)).join("").length;
    editor.focus();
    editor.setSelectionRange(start, end);
    const lineHeight = parseFloat(getComputedStyle(editor).lineHeight);
    editor.scrollTop = Math.max(0, (line - 4) * lineHeight);
  };

  const place = (each) => (each.line ? `${each.file}:${each.line}:${each.column ?? 1}` : each.file);
  const plain = (text) => text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
  const jump = (label, file, line, column, width) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link";
    button.textContent = plain(label);
    button.addEventListener("click", () => goTo(file, line, column, width));
    return button;
  };

  const drawProblems = (record) => {
    const errors = record.problems.filter((each) => each.severity === "error").length;
    const warnings = record.problems.length - errors;
    const failed = record.tests.filter((each) => each.state === "failed");
    const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
    const title = at("problems-title");
    title.dataset.state = errors ? "errors" : failed.length ? "failing" : "good";
    title.textContent = errors
      ? `${counted(errors, "error")}${warnings ? `, ${counted(warnings, "warning")}` : ""}`
      : `No errors${warnings ? `, ${counted(warnings, "warning")}` : ""}; ${
          failed.length ? `${failed.length} of ${counted(record.tests.length, "test")} failing` : `${counted(record.tests.length, "test")} passed`
        }`;
    at("problems").replaceChildren(
      ...record.problems.map((each) => {
        const item = document.createElement("li");
        Object.assign(item.dataset, {
          testid: "problem", file: each.file, line: each.line ?? "", column: each.column ?? "", code: each.code ?? "",
        });
        item.className = each.severity;
        item.append(jump(place(each), each.file, each.line, each.column, each.width));
        const text = document.createElement("span");
        text.textContent = ` ${each.severity} ${each.code} ${plain(each.message)}`;
        item.append(text);
        if (each.hint) {
          const hint = document.createElement("span");
          hint.className = "soft hint";
          hint.textContent = plain(each.hint);
          item.append(hint);
        }
        return item;
      }),
    );
    const tests = at("tests");
    tests.replaceChildren();
    if (!failed.length) return;
    const heading = document.createElement("h3");
    heading.textContent = "Failing tests";
    const list = document.createElement("ul");
    list.className = "problems";
    for (const each of failed) {
      const item = document.createElement("li");
      item.append(jump(`${each.file}:${each.line}`, each.file, each.line, 1, 0), ` ${plain(each.test)}`);
      for (const mismatch of each.mismatches) {
        const line = document.createElement("span");
        line.className = "soft hint";
        line.textContent = plain(`${mismatch.what}: expected ${mismatch.expected}, got ${mismatch.got}`);
        item.append(line);
      }
      list.append(item);
    }
    tests.append(heading, list);
  };

  // --- results -----------------------------------------------------------------------------------------------------
  let timer;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(check, CHECK_AFTER_MS);
  };
  const newest = {};
  const only = (what) => {
    newest[what]?.abort();
    newest[what] = new AbortController();
    return newest[what].signal;
  };

  const check = async () => {
    clearTimeout(timer);
    const edit = { ...edits };
    const signal = only("check");
    let record;
    try {
      record = await (await send("POST", "/api/check", given(edit), signal)).json();
    } catch (error) {
      if (error.code === "edit_outdated") refuse(error);
      else if (error.name !== "AbortError") fail("problems-title", error);
      return;
    }
    problems = record.problems;
    sound = record.ok ? edit : null;
    drawOutdated([]);
    drawProblems(record);
    drawFiles();
    drawMarks();
    markStale();
    if (!sound) return;
    if (JSON.stringify(record.signals) !== JSON.stringify(signals)) {
      signals = record.signals;
      drawSliders();
    }
    compare(sound);
    judge();
  };

  const refuse = (error) => {
    problems = [];
    sound = null;
    drawProblems({ problems, tests: [] });
    at("problems-title").dataset.state = "errors";
    at("problems-title").textContent = "Not checked: choose above which text counts.";
    drawOutdated(error.outdated);
    drawFiles();
    drawMarks();
    markStale();
  };

  // Follows the last check alone: a result that comes after it is of an edit before, and then the last good one.
  const markStale = () => {
    for (const what of ["flips", "judged"]) {
      const result = at(`${what}-result`);
      at(`${what}-stale`).hidden = Boolean(sound);
      if (!sound && !result.ariaBusy) result.querySelector("[data-testid=state-loading]")?.remove();
    }
  };

  const fail = (id, error) => {
    const target = at(id);
    const text = document.createElement("p");
    text.className = "broken";
    text.setAttribute("role", "alert");
    text.dataset.testid = "state-broken";
    text.textContent = plain(error.message);
    if (id === "problems-title") target.replaceChildren(text);
    else target.parentElement.querySelector(".broken")?.remove(), target.before(text);
  };

  const fill = async (id, path, body, what) => {
    const signal = only(what);
    const target = at(id);
    target.setAttribute("aria-busy", "true");
    try {
      const html = await (await send("POST", path, body, signal)).text();
      target.parentElement.querySelector(":scope > .broken")?.remove();
      const open = [...target.querySelectorAll("details[open][id]")].map((each) => each.id);
      target.innerHTML = html;
      open.forEach((each) => at(each)?.setAttribute("open", ""));
    } catch (error) {
      if (error.name === "AbortError" || error.code === "superseded") return;
      if (error.code === "edit_outdated") return check();
      target.querySelector("[data-testid=state-loading]")?.remove();
      fail(id, error);
    } finally {
      if (!signal.aborted) target.removeAttribute("aria-busy");
    }
  };

  const compare = (edit) => fill("flips-result", "/parts/playground/flips", given(edit), "flips");

  // --- one event ---------------------------------------------------------------------------------------------------
  const form = at("event");
  const from = () => form.elements.from.value;

  const drawSliders = () => {
    const box = at("sliders");
    box.replaceChildren(...signals.map(slider));
  };

  const slider = (signal) => {
    const row = document.createElement("div");
    row.className = "score";
    const { low, high, kind, name } = signal;
    const hasScale = low !== null && high !== null;
    if (!set.has(name)) set.set(name, kind === "score" && hasScale ? high : kind === "text" ? 0 : null);
    const id = `score-${signals.indexOf(signal)}`;
    const label = document.createElement("label");
    label.htmlFor = id;
    label.className = "id";
    label.textContent = signal.unit ? `${name} (${signal.unit})` : name;
    label.title = signal.about;
    const number = document.createElement("input");
    Object.assign(number, { type: "number", step: "any", id, value: set.get(name) ?? "" });
    Object.assign(number.dataset, { testid: "score", signal: name });
    const missing = document.createElement("input");
    Object.assign(missing, { type: "checkbox", checked: set.get(name) === null });
    const missingLabel = document.createElement("label");
    missingLabel.className = "missing";
    missingLabel.append(missing, " missing");
    missing.setAttribute("aria-label", `${name} is missing`);
    let range = null;
    if (hasScale) {
      range = document.createElement("input");
      Object.assign(range, { type: "range", min: low, max: high, step: (high - low) / 200, value: set.get(name) ?? high });
      range.setAttribute("aria-label", `${name}, slider`);
      range.addEventListener("input", () => give(Number(range.value)));
    }
    const give = (score) => {
      set.set(name, score);
      number.value = score ?? "";
      missing.checked = score === null;
      if (range && score !== null) range.value = score;
      laterJudge();
    };
    number.addEventListener("input", () => {
      const score = number.value === "" ? null : Number(number.value);
      set.set(name, score);
      missing.checked = score === null;
      if (range && score !== null) range.value = score;
      laterJudge();
    });
    missing.addEventListener("change", () => give(missing.checked ? null : range ? Number(range.value) : 0));
    row.append(label, number, missingLabel);
    if (range) row.append(range);
    return row;
  };

  const counts = (field) => [undefined, from()].includes(field.closest("label").dataset.only);
  const setFields = () => {
    const event = {};
    for (const field of [...at("event-fields").querySelectorAll("[name]")].filter(counts)) {
      const value = field.value.trim();
      const key = field.name.startsWith("metadata.") ? field.name.slice("metadata.".length) : null;
      if (value && key !== null) event.metadata = { ...event.metadata, [key]: value };
      else if (value) event[field.name] = value;
    }
    return event;
  };

  const subject = () => {
    if (from() === "decision") {
      const id = form.elements.decision.value.trim();
      return id ? { decision_id: id } : null;
    }
    const event = setFields();
    if (from() === "text") return at("text").value.trim() ? { text: at("text").value, event } : null;
    return { scores: Object.fromEntries(signals.map((each) => [each.name, set.get(each.name) ?? null])), event };
  };

  let judgeTimer;
  const laterJudge = () => {
    clearTimeout(judgeTimer);
    judgeTimer = setTimeout(judge, 120);
  };
  let scoredText = null;  // the text that somebody asked to be scored; an edit judges it again
  const judge = () => {
    clearTimeout(judgeTimer);
    if (!sound) return;
    const asked = from() === "text" ? scoredText : subject();
    if (asked) fill("judged-result", "/parts/playground/judged", { ...given(sound), ...asked }, "judged");
    else ask();
  };
  const markUnscored = () => {
    const isOther = from() === "text" && scoredText && JSON.stringify(subject()) !== JSON.stringify(scoredText);
    at("judged-unscored").hidden = !isOther;
  };
  const ask = () => {
    only("judged");
    const hint = document.createElement("p");
    hint.className = "state";
    hint.dataset.testid = "state-empty";
    hint.textContent = from() === "text" ? "Type a message, and score it." : "Name a decision.";
    const result = at("judged-result");
    result.parentElement.querySelector(":scope > .broken")?.remove();
    result.removeAttribute("aria-busy");
    result.replaceChildren(hint);
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", (event) => {
    if (event.target.name !== "from") return;
    for (const name of ["sliders", "decision", "text"]) at(`panel-${name}`).hidden = from() !== name;
    at("event-fields").hidden = from() === "decision";
    for (const label of at("event-fields").querySelectorAll("[data-only]")) label.hidden = label.dataset.only !== from();
    markUnscored();
    judge();
  });
  for (const field of [...at("event-fields").querySelectorAll("[name]"), form.elements.decision]) {
    field.addEventListener("input", () => (from() === "text" ? markUnscored() : laterJudge()));
  }
  at("text").addEventListener("input", markUnscored);
  at("score-text").addEventListener("click", () => {
    scoredText = subject();
    markUnscored();
    judge();
  });

  // --- begin -------------------------------------------------------------------------------------------------------
  editor.readOnly = false;
  drawSliders();
  const opened = new URLSearchParams(location.search).get("file");
  show(opened && names().includes(opened) ? opened : current).then(check);
})();
