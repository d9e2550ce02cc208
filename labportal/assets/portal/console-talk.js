// What the page asks the portal: whether the screen may be opened, and how the machine is.

/** Ask for a connection. Gives {socket, mode}, or {state, text}: the reason why there is none. */
export function grant(address, mode) {
  return send(address, "mode", mode);
}

/** Remember the layout of the machine's keyboard. Gives {layout}, or something else when it was not remembered. */
export function chooseLayout(address, layout) {
  return send(address, "layout", layout);
}

function send(address, name, value) {
  const form = new FormData(document.getElementById("start")); // its token against forged requests
  form.delete("from");
  form.set(name, value);
  return answerOf(address, { method: "POST", body: new URLSearchParams(form) });
}

/** How the machine is: {status, words, may_start, standstill, may_resume, others}, or {state} when nobody knows. */
export function stateOf(address) {
  return answerOf(address, {});
}

async function answerOf(address, options) {
  let answer;
  try {
    answer = await fetch(address, { ...options, credentials: "same-origin", redirect: "manual", cache: "no-store" });
  } catch {
    return { state: "silent" };
  }
  if (answer.type === "opaqueredirect" || answer.status === 401) return { state: "ended" };
  if (answer.status === 404) return { state: "gone" };
  if (answer.headers.get("content-type")?.startsWith("application/json")) return answer.json();
  // A page instead of an answer: 403 is a form of a session that is over, everything else a portal in trouble.
  return { state: answer.status === 403 ? "ended" : "silent" };
}
