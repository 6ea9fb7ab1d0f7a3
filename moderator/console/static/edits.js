"use strict";
// The edit of the policy folder: in this tab alone, shared by the pages that use it. Each edited file has its `text`,
// null where it is removed, and its `base`: what the folder held when the edit of it began, null for no such file.
window.moderatorEdits = (() => {
  const KEY = "moderator-edit";

  const read = () => {
    try {
      return JSON.parse(sessionStorage.getItem(KEY)) ?? {};
    } catch {
      return {};
    }
  };
  const write = (files) => {
    try {
      if (Object.keys(files).length) sessionStorage.setItem(KEY, JSON.stringify(files));
      else sessionStorage.removeItem(KEY);
      return true;
    } catch {
      return false;  // the tab's storage is full: the edit then lasts as long as the page
    }
  };

  // Gives an edit as the console takes it.
  const given = (edits) => {
    const each = (part) => Object.fromEntries(Object.entries(edits).map(([name, edit]) => [name, edit[part]]));
    return { files: each("text"), bases: each("base") };
  };

  // Sends JSON and gives the answer; what is not answered with what it asks for is an error with `code` and `message`.
  const send = async (method, path, body, signal) => {
    let answer;
    try {
      answer = await fetch(path, {
        method,
        signal,
        credentials: "same-origin",
        headers: { "Content-Type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw Object.assign(new Error("The console does not answer."), { code: "away" });
    }
    const isLogin = answer.redirected && new URL(answer.url).pathname === "/login";
    if (answer.ok && !isLogin) return answer;
    if (answer.status === 401 || isLogin) {
      location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
      throw Object.assign(new Error("Log in again."), { code: "login" });
    }
    const said = await answer.json().catch(() => null);
    const message = said?.error?.message ?? `The console answers with status ${answer.status}.`;
    throw Object.assign(new Error(message), { code: said?.error?.code ?? String(answer.status), outdated: said?.outdated });
  };

  return { read, write, given, send };
})();
